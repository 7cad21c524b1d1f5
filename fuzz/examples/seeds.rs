//! Writes the conformance corpus as inputs of the fuzz targets: `seeds FOLDER` creates `FOLDER/TARGET/CASE`.

use std::path::PathBuf;
use std::{env, fs, io};

#[path = "../../tests/support/bodies/mod.rs"]
mod bodies;
#[path = "../../tests/support/bodies/seeds.rs"]
mod seeds;
#[path = "../../tests/support/mod.rs"]
mod support;

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::args_os().nth(1).expect("the folder to fill"));
    for (target, seeds) in seeds::seeds() {
        let folder = folder.join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds.iter().enumerate() {
            fs::write(folder.join(format!("{number:03}-{}", seed.id)), &seed.input)?;
        }
    }
    Ok(())
}
