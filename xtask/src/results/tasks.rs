//! The tasks: recipe, model, data, what is measured, and what each method sets.

use std::path::{Path, PathBuf};

use crate::{Result, assets};

/// Something a pretrained model is fine-tuned for.
pub(super) struct Task {
    pub(super) name: &'static str,
    /// The heading of its table.
    pub(super) title: &'static str,
    /// `recipes/<recipe>.toml`.
    pub(super) recipe: &'static str,
    pub(super) model: Model,
    pub(super) data: Data,
    /// What the table shows, as retune names it.
    pub(super) metric: &'static str,
    pub(super) kind: Kind,
}

/// Where a model comes from.
pub(super) enum Model {
    /// The folder in which an asset lies.
    AssetFolder(&'static str),
    /// The first file of an asset.
    AssetFile(&'static str),
    /// A file or folder below the folder of data.
    Given(&'static str),
}

/// Files or folders below the folder of data, and how the parts are had of them.
pub(super) enum Data {
    /// A folder that has all parts; where it is missing, the archive `<path>.tar`.
    Folder(&'static str),
    /// A file or folder for each part: train, validation, test.
    Parts([&'static str; 3]),
    /// Train and test; a tenth of train is for validation.
    TrainAndTest([&'static str; 2]),
    /// A table, of which repeated rows are left out; a tenth is for validation, two tenths are for the test.
    Table(&'static str),
}

/// What the task is like: this decides what a method sets, and the peer.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Texts,
    Pairs,
    Photos,
    SmallImages,
}

/// Which weights are trained.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Method {
    Full,
    Head,
    Lora,
}

/// Every method, in the order of the tables.
pub(super) const METHODS: [Method; 3] = [Method::Full, Method::Head, Method::Lora];

const MINILM: Model = Model::AssetFolder("minilm");
const E5: Model = Model::Given("models/me5-small-zh-en");

/// Every task, in the order of the document.
pub(super) const TASKS: &[Task] = &[
    Task {
        name: "sms-spam",
        title: "SMS spam, all-MiniLM-L6-v2",
        recipe: "sms-spam",
        model: MINILM,
        data: Data::Table("text/sms-spam/sms.tsv"),
        metric: "f1-macro",
        kind: Kind::Texts,
    },
    Task {
        name: "trec6",
        title: "TREC-6, all-MiniLM-L6-v2",
        recipe: "trec6",
        model: MINILM,
        data: Data::TrainAndTest(["text/sent-conv/TREC.train.all", "text/sent-conv/TREC.test.all"]),
        metric: "accuracy",
        kind: Kind::Texts,
    },
    Task {
        name: "sst2",
        title: "SST-2, all-MiniLM-L6-v2",
        recipe: "sst2",
        model: MINILM,
        data: Data::Folder("text/sst2"),
        metric: "accuracy",
        kind: Kind::Texts,
    },
    Task {
        name: "sst5",
        title: "SST-5, all-MiniLM-L6-v2",
        recipe: "sst5",
        model: MINILM,
        data: Data::Parts([
            "text/sent-conv/stsa.fine.train",
            "text/sent-conv/stsa.fine.dev",
            "text/sent-conv/stsa.fine.test",
        ]),
        metric: "accuracy",
        kind: Kind::Texts,
    },
    Task {
        name: "waimai",
        title: "waimai_10k (Chinese), a small multilingual E5",
        recipe: "waimai",
        model: E5,
        data: Data::Table("text/waimai_10k/waimai_10k.csv"),
        metric: "accuracy",
        kind: Kind::Texts,
    },
    Task {
        name: "chnsenticorp",
        title: "ChnSentiCorp (Chinese), a small multilingual E5, in bfloat16",
        recipe: "chnsenticorp",
        model: E5,
        data: Data::Folder("text/chnsenticorp"),
        metric: "accuracy",
        kind: Kind::Texts,
    },
    Task {
        name: "stsb-en",
        title: "STS-B (English), all-MiniLM-L6-v2",
        recipe: "stsb-en",
        model: MINILM,
        data: Data::Parts(["text/stsb/stsb-en-train.csv", "text/stsb/stsb-en-dev.csv", "text/stsb/stsb-en-test.csv"]),
        metric: "spearman",
        kind: Kind::Pairs,
    },
    Task {
        name: "stsb-zh",
        title: "STS-B (Chinese), a small multilingual E5",
        recipe: "stsb-zh",
        model: E5,
        data: Data::Parts(["text/stsb/stsb-zh-train.csv", "text/stsb/stsb-zh-dev.csv", "text/stsb/stsb-zh-test.csv"]),
        metric: "spearman",
        kind: Kind::Pairs,
    },
    Task {
        name: "clothing-efficientnet",
        title: "Photos of clothes, EfficientNet-Lite0",
        recipe: "clothing",
        model: Model::AssetFile("efficientnet-lite0"),
        data: Data::Folder("vision/clothing-small-224"),
        metric: "accuracy",
        kind: Kind::Photos,
    },
    Task {
        name: "clothing-mobilenet",
        title: "Photos of clothes, MobileNetV2",
        recipe: "clothing",
        model: Model::AssetFile("mobilenet-v2"),
        data: Data::Folder("vision/clothing-small-224"),
        metric: "accuracy",
        kind: Kind::Photos,
    },
    Task {
        name: "cifar10-jpeg",
        title: "CIFAR-10 after lossy compression, ResNet-20",
        recipe: "cifar10-jpeg",
        model: Model::Given("models/resnet-cifar10/resnet20-12fca82f.th"),
        data: Data::Folder("vision/cifar10-jpg-12k"),
        metric: "accuracy",
        kind: Kind::SmallImages,
    },
];

impl Task {
    /// The methods there are: a model of vectors has no head.
    pub(super) fn methods(&self) -> impl Iterator<Item = Method> {
        METHODS.into_iter().filter(|&method| self.kind != Kind::Pairs || method != Method::Head)
    }

    /// The peer's program in `bench/peers`, if there is one for this method.
    pub(super) fn peer(&self, method: Method) -> Option<&'static str> {
        match (self.kind, method) {
            (Kind::Texts, _) => Some("recipe_texts.py"),
            (Kind::Photos, Method::Full | Method::Head) => Some("recipe_photos.py"),
            (Kind::Pairs | Kind::Photos | Kind::SmallImages, _) => None,
        }
    }

    /// What a method sets beside the recipe's values, which are those of full fine-tuning: the rate, which grows as weights get fewer;
    /// and of a head, which costs little, the epochs.
    pub(super) fn changes(&self, method: Method) -> &'static [&'static str] {
        match (method, self.kind) {
            (Method::Full, _) => &[],
            (Method::Head, Kind::Texts | Kind::Pairs) => {
                &["method.kind=head", "optimizer.learning-rate=0.005", "train.epochs=20"]
            }
            (Method::Head, Kind::Photos) => {
                &["method.kind=head", "optimizer.learning-rate=0.002", "train.epochs=10", "train.cache-augmentations=2"]
            }
            (Method::Head, Kind::SmallImages) => &["method.kind=head"],
            (Method::Lora, Kind::Texts | Kind::Pairs) => &["method.kind=lora", "optimizer.learning-rate=0.001"],
            (Method::Lora, Kind::Photos) => &["method.kind=lora", "optimizer.learning-rate=0.002"],
            (Method::Lora, Kind::SmallImages) => &["method.kind=lora"],
        }
    }
}

impl Method {
    /// The method's name on the command line and in files.
    pub(super) fn name(self) -> &'static str {
        match self {
            Method::Full => "full",
            Method::Head => "head",
            Method::Lora => "lora",
        }
    }
}

impl Model {
    /// The model's file or folder.
    pub(super) fn path(&self, folder: &Path) -> Result<PathBuf> {
        Ok(match self {
            Model::AssetFile(name) => assets::path(name)?,
            Model::AssetFolder(name) => assets::path(name)?.parent().expect("assets lie in a folder").to_owned(),
            Model::Given(path) => folder.join(path),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::root;

    #[test]
    fn every_task_has_a_recipe_and_a_name_of_its_own() {
        for (index, task) in TASKS.iter().enumerate() {
            assert!(root().join("recipes").join(task.recipe).with_extension("toml").exists(), "{}", task.name);
            assert!(TASKS[..index].iter().all(|other| other.name != task.name), "{}", task.name);
        }
    }

    #[test]
    fn every_peer_is_there_and_every_method_but_full_names_itself() {
        for task in TASKS {
            for method in task.methods() {
                let peer = task.peer(method);
                assert!(peer.is_none_or(|file| root().join("bench/peers").join(file).exists()), "{peer:?}");
                let named = task.changes(method).contains(&format!("method.kind={}", method.name()).as_str());
                assert_eq!(named, method != Method::Full, "{} {}", task.name, method.name());
            }
        }
    }
}
