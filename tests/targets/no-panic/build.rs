//! The programs are for no operating system: no C library, no start-up code, no `std` that comes in unseen.

fn main() {
    for argument in ["-nostartfiles", "-nostdlib", "-static"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
    // What the compiler calls of itself. The programs are never run, so any address will do.
    for function in ["memcpy", "memmove", "memset", "memcmp", "bcmp"] {
        println!("cargo::rustc-link-arg-bins=-Wl,--defsym={function}=_start");
    }
}
