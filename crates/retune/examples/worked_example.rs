//! Fine-tuning a pretrained Keras network on CIFAR-10, as a Keras user writes it:
//!
//! ```python
//! base = keras.models.load_model("cnn_model.h5")
//! model = keras.Sequential([keras.Input((32, 32, 3)), base, keras.layers.Dense(10, activation="softmax")])
//! model.compile(optimizer=keras.optimizers.Adam(0.001), loss="categorical_crossentropy", metrics=["accuracy"])
//! model.fit(x_train / 255, to_categorical(y_train), epochs=10, validation_data=(x_test / 255, to_categorical(y_test)))
//! ```
//!
//! `cargo run --release --example worked_example -- cnn_model.h5 cifar-10-batches-bin [EPOCHS]`; the data may also be a folder with
//! one sub-folder of 32×32 images per class. The same as a recipe: `recipes/cifar10-keras.toml`.

use retune::Model;
use retune::data::preprocess::{Rescale, TargetEncoding};
use retune::data::{self, Preprocessing, SourceOptions};
use retune::models::keras::LayerConfig;
use retune::train::FineTune;
use retune::train::losses::Loss;
use retune::train::metrics::{Metric, bootstrap};
use retune::train::optimizers::{Adam, Optimizer};
use retune::train::trainer::Event;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (model, data, epochs) = match arguments.as_slice() {
        [model, data] => (model, data, 10),
        [model, data, epochs] => (model, data, epochs.parse()?),
        _ => return Err("usage: worked_example MODEL DATA [EPOCHS]".into()),
    };

    // 1. A pretrained network.
    let (base, _) = Model::load(model)?;
    // 2. Inside a new Sequential, with a new head.
    let head = LayerConfig::dense(10).with("activation", "softmax");
    let model = base.wrap("fine-tuned", &[head], 0)?;
    // 3. Data: the training part, and the test part as validation.
    let mut parts = data::open(Path::new(data), &SourceOptions::default())?;
    parts.validation = parts.validation.or(parts.test.take());
    // 4. Pixels from 0–255 to 0–1, labels one-hot.
    let preprocessing = Preprocessing {
        rescale: Some(Rescale { scale: 1.0 / 255.0, offset: 0.0 }),
        targets: TargetEncoding::OneHot,
        ..Preprocessing::default()
    };
    // 5. and 6. Loss and optimizer.
    let tuned = FineTune::new(model)
        .data(parts)
        .preprocess(preprocessing)
        .loss(Loss::CategoricalCrossEntropy { from_logits: false, label_smoothing: 0.0 })
        .optimizer(Optimizer::Adam(Adam::default()))
        .learning_rate(0.001)
        .epochs(epochs)
        .settings(|settings| settings.metrics = vec![Metric::Loss, Metric::Accuracy])
        .train_with(&mut show)?;
    // 7. How good it is, and the model as a Keras file.
    if let Some(estimate) = tuned.evaluate().and_then(|scored| bootstrap(Metric::Accuracy, scored, 0)) {
        println!("accuracy {:.4}, 95 % interval {:.4}–{:.4}", estimate.value, estimate.low, estimate.high);
    }
    tuned.save("fine-tuned.keras")?;
    let trained: usize = tuned.model().weights.iter().filter(|w| w.trainable).map(|w| w.value.len()).sum();
    println!("wrote `fine-tuned.keras`; {trained} weights were trained");
    Ok(())
}

/// A line per epoch, as Keras prints.
fn show(event: &Event<'_>) {
    if let Event::Evaluated { epoch, sums, values, .. } = event {
        let values: Vec<String> = values.iter().map(|(metric, value)| format!("val_{metric}: {value:.4}")).collect();
        println!(
            "epoch {}: accuracy: {:.4} - loss: {:.4} - {}",
            epoch + 1,
            sums.accuracy(),
            sums.mean_loss(),
            values.join(" - ")
        );
    }
}
