//! How many images one thread decodes and augments in a second, beside torchvision and albumentations.

use super::measurement::{Measurement, all, median};
use super::table::Table;
use super::{Options, Programs};
use crate::Result;
use crate::process::{cargo, program, run, target};

/// Works and the side of their images.
pub(super) const AUGMENTATIONS: [(&str, &str); 2] = [("augment-32", "32"), ("augment-224", "224")];

/// Measures works by the images of the folder named, the programs in turn.
pub(super) fn measure(programs: &Programs, works: &[(&str, &str)], options: &Options) -> Result<String> {
    let images = options.images.as_ref().ok_or("`augment-32` and `augment-224` take `--images FOLDER`")?;
    run(cargo().args(["build", "--release", "--locked", "--package", "retune-data", "--example", "augment_speed"]))?;
    let example = target().join("release/examples").join(format!("augment_speed{}", std::env::consts::EXE_SUFFIX));
    let (rounds, passes) = if options.quick { (1, "1") } else { (5, "3") };
    let heads = ["work", "retune", "torchvision", "albumentations", "retune / the better"];
    let mut table = Table::new("Images per second and thread", &heads);
    for &(name, side) in works {
        let mut rates = [const { Vec::new() }; 3];
        for _ in 0..rounds {
            rates[0].push(Measurement::of(program(&example).arg(images).args([side, passes]))?);
            for (rates, peer) in rates[1..].iter_mut().zip(["torchvision", "albumentations"]) {
                let mut command = programs.torch()?.python();
                command.args(["bench/peers/augment.py", peer]).arg(images).args([side, passes]);
                rates.push(Measurement::of(&mut command)?);
            }
        }
        let [ours, torchvision, albumentations] = rates.map(|runs| all(&runs, "images_per_s").map(median));
        let (ours, torchvision, albumentations) = (ours?, torchvision?, albumentations?);
        let times = ours / torchvision.max(albumentations);
        let rates = [ours, torchvision, albumentations].map(|rate| format!("{rate:.0}"));
        table.row([name.to_owned()].into_iter().chain(rates).chain([format!("{times:.1}×")]).collect::<Vec<_>>());
    }
    Ok(table.finish())
}
