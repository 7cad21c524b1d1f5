//! The files of the conformance corpus, whatever kind their cases are of.

use serde::{Deserialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of cases.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Group<C> {
    #[serde(rename = "$schema")]
    pub(crate) schema: String,
    pub(crate) group: String,
    pub(crate) about: String,
    pub(crate) cases: Vec<C>,
}

/// The groups of a kind, each with the name of its file, in the order of the names.
pub(crate) fn groups<C: DeserializeOwned>(kind: &str) -> Vec<(String, Group<C>)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(root().join(kind))
        .expect("each kind of cases is a directory")
        .map(|entry| entry.expect("its entries can be read").path())
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let name = stem.expect("a file has a name").to_owned();
            let text =
                fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let group =
                serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (name, group)
        })
        .collect()
}

/// The dictionary of flags.
pub(crate) fn flags() -> BTreeMap<String, String> {
    let text =
        fs::read_to_string(root().join("flags.json")).expect("conformance/flags.json can be read");
    serde_json::from_str(&text).expect("it is an object of strings")
}

pub(crate) fn root() -> PathBuf {
    // Of this package, or of the one that it belongs to.
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let mut folders = packages.map(|package| package.join("conformance"));
    folders.find(|folder| folder.is_dir()).expect("the corpus")
}
