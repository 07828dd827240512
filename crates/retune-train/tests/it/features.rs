//! What is frozen is computed once per example: the result is the same to the bit, and the work is less.

use crate::fixture::{data, job};
use crate::texts::{build, model_folder, write_data};
use retune_data::{Loader, LoaderOptions};
use retune_models::Model;
use retune_train::fit;
use retune_train::steps::{Evaluator, FeatureStore, TrainingProgram};
use retune_train::trainer::{Job, Silent, Trainer};
use std::sync::atomic::AtomicBool;

static NEVER: AtomicBool = AtomicBool::new(false);

/// The tiny network with a frozen convolution and normalization, on shuffled images that are not changed at random.
fn head_only(cache: Option<(std::path::PathBuf, u64)>) -> Job {
    let mut job = job(2);
    job.model.freeze_up_to("norm").unwrap();
    let options = LoaderOptions { batch_size: 8, shuffle: true, seed: 11, ..LoaderOptions::default() };
    job.train = Loader::new(data(60), (0..44).collect(), options).unwrap();
    job.settings.cache = cache;
    job
}

fn trained(job: Job) -> Vec<Vec<u32>> {
    let mut trainer = Trainer::new(job).unwrap();
    trainer.run(None, &mut Silent, &NEVER).unwrap();
    let bits = |tensor: &retune_tensor::Tensor| tensor.to_f32_vec().into_iter().map(f32::to_bits).collect();
    trainer.weights().iter().map(bits).collect()
}

#[test]
fn training_with_kept_values_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let plain = trained(head_only(None));
    assert_eq!(trained(head_only(Some((folder.path().to_owned(), 1 << 30)))), plain);
    // Room for a few examples alone: the others are computed anew.
    assert_eq!(trained(head_only(Some((folder.path().to_owned(), 5000)))), plain);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "the file has no name and leaves nothing behind");
}

#[test]
fn each_example_is_kept_once_and_the_rest_of_the_network_is_small() {
    let folder = tempfile::tempdir().unwrap();
    let store = FeatureStore::create(folder.path(), 1 << 30).unwrap();
    let Job { cpu, model, loss, train, .. } = head_only(None);
    let network = |mode| model.build(mode, None).unwrap();
    let training = network(retune_models::Mode::Training);
    let mut whole = TrainingProgram::new(&cpu, training.clone(), loss, &[]).unwrap();
    let mut program = TrainingProgram::with_store(&cpu, training, loss, &[], Some(&store)).unwrap();
    // 4 × 4 pixels of 4 channels behind the pooling.
    assert_eq!(program.kept_bytes(0), Some(4 * 64));
    let weights: Vec<_> = model.weights.iter().map(|weight| weight.value.clone()).collect();
    for epoch in 0..2 {
        for batch in train.epoch(epoch) {
            let batch = batch.unwrap();
            let expected = whole.run(&weights, &batch, train.data(), 3).unwrap().losses().to_vec();
            assert_eq!(program.run(&weights, &batch, train.data(), 3).unwrap().losses(), expected);
        }
        assert_eq!((store.len(), store.size_bytes()), (44, 44 * 4 * 64));
    }
    let size = train.largest_batch();
    assert!(program.plan(size).unwrap().flops() * 5 < whole.plan(size).unwrap().flops());

    // Evaluation keeps the same values of the same examples: its graph is another, its frozen part is not.
    let is_learned: Vec<bool> = model.weights.iter().map(|weight| weight.trainable || weight.statistic).collect();
    let inference = network(retune_models::Mode::Inference);
    let mut plain = Evaluator::new(&cpu, inference.clone(), loss).unwrap();
    let mut evaluator = Evaluator::with_store(&cpu, inference, loss, &is_learned, &store).unwrap();
    for _ in 0..2 {
        let scored = evaluator.evaluate(&weights, &train, |_| ()).unwrap();
        assert_eq!(scored.losses(), plain.evaluate(&weights, &train, |_| ()).unwrap().losses());
    }
    assert_eq!(store.len(), 44);
}

/// Texts of different lengths behind frozen layers: dropout in these keeps training from it, evaluation keeps its values.
#[test]
fn texts_behind_frozen_layers_end_the_same() {
    let run = |cache: bool| {
        let root = tempfile::tempdir().unwrap();
        model_folder(root.path());
        write_data(root.path(), 60);
        let more = format!(
            "[train]\nepochs = 2\ncache = {cache}\nbatch-tokens = 40\n[output]\npath = \"run\"\n[method]\nkind = \"head\""
        );
        let outcome = fit(build(root.path(), &more).unwrap(), &mut Silent, &NEVER).unwrap();
        let (model, _) = Model::load(outcome.model.unwrap()).unwrap();
        model.weights.iter().flat_map(|w| w.value.to_f32_vec()).map(f32::to_bits).collect::<Vec<u32>>()
    };
    assert_eq!(run(true), run(false));
}
