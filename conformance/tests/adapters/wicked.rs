//! Adapters that do anything but answer, and what the runner makes of them.
pub(crate) fn serve(_how: &str) {}
pub(crate) fn trials() -> Vec<libtest_mimic::Trial> {
    vec![]
}
