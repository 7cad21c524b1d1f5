"""Prints the code size of the programs of run.sh, from the link maps in a folder: a table, and the biggest functions of each
program at opt-level z. Argument: the folder."""

import pathlib
import re
import sys

PROGRAMS = ["decoder", "encoder", "machine"]
BIGGEST = 12


def sections(link_map):
    """Size, input file and input section of everything that was linked."""
    for line in link_map.read_text().splitlines()[1:]:
        address, _, size, _, what = line.split(None, 4)
        match = re.fullmatch(r"(\S+):\((\.\S+)\)", what.strip())
        if match:
            yield int(size, 16), match[1], match[2]


def text(link_map):
    """Bytes of code of the crate, with what it uses of `core`; of memcpy, division and the like; and bytes of constants."""
    own = runtime = constants = 0
    for size, file, section in sections(link_map):
        if section.startswith(".rodata"):
            constants += size
        elif section.startswith(".text") and "compiler_builtins" in file:
            runtime += size
        elif section.startswith(".text"):
            own += size
    return own, runtime, constants


def functions(link_map):
    """Size and name of the functions, biggest first."""
    sizes = {}
    for line in link_map.read_text().splitlines()[1:]:
        _, _, size, align, what = line.split(None, 4)
        # Symbols are the lines that name neither an input file nor an output section.
        if int(size, 16) and align == "1" and ":(" not in what and not what.strip().startswith((".", "<internal>")):
            name = re.sub(r"\[[0-9a-f]+\]", "", what.strip())
            sizes[name] = sizes.get(name, 0) + int(size, 16)
    return sorted(((size, name) for name, size in sizes.items()), reverse=True)


maps = pathlib.Path(sys.argv[1])
print("| program, thumbv7em | opt-level | code, bytes | memcpy, division and the like | constants |\n|---|---|---|---|---|")
for level in ["z", "3"]:
    for program in PROGRAMS:
        own, runtime, constants = text(maps / f"{program}-{level}.map")
        print(f"| {program} | {level} | {own} | {runtime} | {constants} |")
for program in PROGRAMS:
    print(f"\nThe biggest functions of the {program} at opt-level z, with what is inlined in them:")
    for size, name in functions(maps / f"{program}-z.map")[:BIGGEST]:
        print(f"{size:6} {name}")
