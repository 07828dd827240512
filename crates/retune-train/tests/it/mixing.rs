//! Runs on mixed examples: soft targets reach the loss, evaluation sees none, and nothing else becomes random.

use crate::fixture::{data, job};
use crate::runs::{bits, train};
use retune_data::augment::Mixing;
use retune_data::preprocess::{Preprocessing, TargetEncoding};
use retune_data::{Loader, LoaderOptions};
use retune_train::losses::Loss;
use retune_train::metrics::Metric;
use retune_train::trainer::Job;

fn mixed(mixing: Option<Mixing>, threads: usize) -> Job {
    let preprocessing = Preprocessing { targets: TargetEncoding::OneHot, ..Preprocessing::default() };
    let options =
        LoaderOptions { batch_size: 8, seed: 11, preprocessing: preprocessing.clone(), ..LoaderOptions::default() };
    let training = LoaderOptions { mixing, workers: Some(threads), ..options.clone() };
    let mut job = job(threads);
    job.loss = Loss::CategoricalCrossEntropy { from_logits: false, label_smoothing: 0.0 };
    job.train = Loader::new(data(60), (0..44).collect(), training).unwrap();
    let validation = LoaderOptions { shuffle: false, ..options };
    job.validation = Some(Loader::new(data(60), (44..60).collect(), validation).unwrap());
    job
}

#[test]
fn soft_targets_reach_the_loss() {
    let folder = tempfile::tempdir().unwrap();
    let mixing = |mixup, cutmix| Some(Mixing { mixup, cutmix, probability: 1.0 });
    let mut ends = Vec::new();
    for (i, mixing) in [None, mixing(Some(1.0), None), mixing(None, Some(1.0))].into_iter().enumerate() {
        let trained = |threads: usize| {
            let run = folder.path().join(format!("{i}-{threads}"));
            let mut job = mixed(mixing, threads);
            job.settings.epochs = 15;
            job.settings.monitor = Metric::Accuracy;
            train(job, &run)
        };
        let (trainer, other) = (trained(1), trained(3));
        assert_eq!(bits(trainer.weights()), bits(other.weights()), "threads do not matter");
        assert!(trainer.progress().best.unwrap().value > 0.8, "examples {i} teach nothing");
        ends.push(bits(trainer.weights()));
    }
    let [plain, mixup, cutmix] = &ends[..] else { unreachable!("three runs") };
    assert!(plain != mixup && plain != cutmix && mixup != cutmix);
}
