//! Links the programs without an operating system: no C library, no start-up code, and so no
//! accidental use of `std`.

fn main() {
    for argument in ["-nostartfiles", "-nostdlib", "-static"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    // Functions that the compiler calls implicitly. The programs are never run, so any address will
    // do.
    for function in ["memcpy", "memmove", "memset", "memcmp", "bcmp"] {
        println!("cargo::rustc-link-arg-bins=-Wl,--defsym={function}=_start");
    }
}
