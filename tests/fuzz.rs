//! Runs the fuzz targets without a fuzzer: on the regression inputs, on the seeds and on random
//! bytes.

#[path = "support/bodies/mod.rs"]
mod bodies;
#[path = "support/bodies/seeds.rs"]
mod seeds;
mod support;

use std::collections::BTreeSet;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use bodies::{TARGETS, Target};
use proptest::collection::vec;
use proptest::prelude::*;
use seeds::{Seed, seeds};

/// Checks an input, and names it if the check fails.
fn check(target: &Target, name: &str, input: &[u8]) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.check)(input))) {
        eprintln!(
            "{} fails with {name}: b\"{}\"",
            target.name,
            input.escape_ascii()
        );
        resume_unwind(panic);
    }
}

/// `None` in the published package, which does not contain the fuzz targets.
fn fuzz_folder() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    folder.exists().then_some(folder)
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
    entries
        .map(|entry| name(entry).into_string().unwrap())
        .collect()
}

#[test]
fn the_regression_inputs_pass() {
    let Some(folder) = fuzz_folder() else {
        return;
    };
    for target in TARGETS {
        let folder = folder.join("regressions").join(target.name);
        let files = names(&folder);
        assert!(!files.is_empty(), "{}", folder.display());
        for file in files {
            check(&target, &file, &fs::read(folder.join(&file)).unwrap());
        }
    }
}

#[test]
fn every_fuzz_target_is_registered_everywhere() {
    let Some(folder) = fuzz_folder() else {
        return;
    };
    let known: BTreeSet<String> = TARGETS.map(|target| target.name.to_owned()).into();
    assert_eq!(names(&folder.join("regressions")), known);
    let files = known.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names(&folder.join("fuzz_targets")), files);
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for name in &known {
        assert!(manifest.contains(&format!(
            "\nname = \"{name}\"\npath = \"fuzz_targets/{name}.rs\""
        )));
    }
    assert!(seeds().into_keys().eq(known));
}

#[test]
fn the_seeds_pass() {
    let seeds = seeds();
    for target in TARGETS {
        for Seed { id, input } in &seeds[target.name] {
            check(&target, id, input);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_pass(input in vec(any::<u8>(), 0..100)) {
        for target in TARGETS {
            check(&target, "random bytes", &input);
        }
    }

    #[test]
    fn mutated_seeds_pass(
        which in any::<prop::sample::Index>(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..10),
    ) {
        let seeds = seeds();
        for target in TARGETS {
            let mut input = which.get(&seeds[target.name]).input.clone();
            for (at, byte) in &changes {
                *at.get_mut(&mut input) = *byte;
            }
            check(&target, "a seed, changed", &input);
        }
    }
}
