//! One batch from its ids.

use super::checks::{check_bytes, check_mixing, check_no_images, check_scores, check_targets};
use super::tokens::{Lengths, Tokens};
use super::{Batch, BatchInputs, Cursor, Keeper, KeptRows, LoaderOptions, Targets};
use crate::augment::mixing::Rows;
use crate::augment::{AugmentScratch, Augmentation, Drawn, Mixing, check_list, takes_bytes};
use crate::dataset::{Dataset, Inputs};
use crate::error::{BadExample, DataError, shape_text};
use crate::hash::ContentHash;
use crate::preprocess::normalize::Affine;
use crate::preprocess::{Color, FeatureType, Preprocessing, Scratch};
use crate::table::TableEncoder;
use crate::text::TokenStatistics;
use crate::weights::check_weights;
use retune_tensor::{Tensor, Values};
use std::num::NonZeroU64;
use std::sync::Arc;

/// All that preparing a batch needs, shared by the threads.
#[derive(Debug)]
pub(super) struct Preparer {
    pub(super) data: Arc<Dataset>,
    pub(super) preprocessing: Preprocessing,
    pub(super) augment: Vec<Augmentation>,
    pub(super) mixing: Option<Mixing>,
    pub(super) augmentations: Option<NonZeroU64>,
    pub(super) seed: u64,
    /// All that is done to a stored input, as a text, for keys.
    pub(super) settings: String,
    pub(super) affine: Affine,
    /// Shape of one prepared input; `None` for image files that keep their own size.
    pub(super) shape: Option<Vec<usize>>,
    pub(super) class_weights: Option<Vec<f32>>,
    pub(super) example_weights: Option<Vec<f32>>,
    /// Of texts.
    pub(super) tokens: Option<Tokens>,
    /// Of tables of columns.
    pub(super) table: Option<TableEncoder>,
}

/// A batch and the examples it had to leave out.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) batch: Batch,
    pub(super) skipped: Vec<BadExample>,
}

/// An example on its way into a batch.
struct Row {
    id: u64,
    /// Its key, where somebody keeps values.
    key: Option<ContentHash>,
    values: Option<Vec<f32>>,
}

/// A thread's own buffers.
#[derive(Debug, Default)]
pub(super) struct Worker {
    pub(super) scratch: Scratch,
    pub(super) stored: Vec<f32>,
    pub(super) augment: AugmentScratch,
}

/// Memory of a batch that was used.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    pub(super) floats: Vec<f32>,
    pub(super) integers: Vec<i32>,
}

impl Buffers {
    pub(super) fn of(batch: Batch) -> Buffers {
        let mut buffers = Buffers::default();
        // Batches of tokens are of ever other sizes, and small.
        let BatchInputs::Dense(inputs) = batch.inputs else { return buffers };
        for tensor in inputs {
            match tensor.into_values() {
                Values::F32(floats) => buffers.floats = floats,
                Values::I32(integers) => buffers.integers = integers,
                _ => {}
            }
        }
        buffers
    }
}

impl Preparer {
    /// Also gives the examples among `ids` that cannot be used: texts without tokens, rows with texts where there are to be numbers.
    pub(super) fn new(
        data: Arc<Dataset>,
        ids: &[u64],
        options: LoaderOptions,
    ) -> Result<(Preparer, Vec<BadExample>), DataError> {
        let mut preprocessing = options.preprocessing;
        preprocessing.check()?;
        check_list(&options.augment)?;
        let shape = match data.inputs() {
            Inputs::Encoded(images) => {
                let color = *preprocessing.color.get_or_insert(Color::Rgb);
                let size = preprocessing.resize.as_ref().map(|r| [r.height, r.width]).or(images.size);
                if size.is_none() && data.len() > 1 {
                    return Err(DataError::WrongShape {
                        place: format!("images of {}", data.description()),
                        expected: "one size for all".into(),
                        found: "several sizes".into(),
                        hint: "set `resize` to the size that the network takes",
                    });
                }
                size.map(|[height, width]| vec![height, width, color.channels()])
            }
            Inputs::Images(t) => {
                let stored = [t.shape()[1], t.shape()[2], t.shape()[3]];
                if takes_bytes(&options.augment) {
                    check_bytes(t, preprocessing.image_shape(stored)[2], data.description())?;
                }
                Some(preprocessing.image_shape(stored).to_vec())
            }
            Inputs::Features(t) => {
                check_no_images(&preprocessing, &options.augment, || {
                    format!("inputs of shape {}", shape_text(&t.shape()[1..]))
                })?;
                if preprocessing.features == FeatureType::Integer && !options.augment.is_empty() {
                    return Err(DataError::setting("noise", "numbers", "integers that a network looks up"));
                }
                Some(t.shape()[1..].to_vec())
            }
            Inputs::Texts(_) => {
                check_no_images(&preprocessing, &options.augment, || "texts".to_owned())?;
                None
            }
            Inputs::Table(_) => {
                check_no_images(&preprocessing, &options.augment, || "a table of columns".to_owned())?;
                None
            }
        };
        let (mut tokens, mut table, mut unusable) = (None, None, Vec::new());
        if let Some(columns) = data.table() {
            let no_schema = || DataError::NoSchema { place: data.description().to_owned() };
            let schema = preprocessing.table.as_ref().ok_or_else(no_schema)?;
            let encoder = TableEncoder::new(data.description(), schema, columns)?;
            let bad = |&id: &u64| {
                let reason = encoder.problem(columns, id as usize)?;
                Some(BadExample { id, place: data.place(id), reason })
            };
            unusable = ids.iter().filter_map(bad).collect();
            table = Some(encoder);
        }
        if data.texts().is_none() && options.text_augment.as_ref().is_some_and(|augmenter| !augmenter.list().is_empty())
        {
            return Err(DataError::setting("augment", "changes of images or numbers", "changes of texts"));
        }
        if let Some(texts) = data.texts() {
            let no_tokenizer = || DataError::NoTokenizer { place: data.description().to_owned() };
            let encoder = options.encoder.as_ref().ok_or_else(no_tokenizer)?;
            let needed = match options.bucket || options.batch_tokens.is_some() {
                true => Lengths::All,
                false => Lengths::Some,
            };
            let augmenter = options.text_augment.as_deref();
            let (encoded, without) = Tokens::new(&data, texts, ids, encoder, augmenter, needed)?;
            (tokens, unusable) = (Some(encoded), without);
        }
        let channels = match &shape {
            Some(shape) => shape.last().copied().unwrap_or(1),
            None => preprocessing.color.map_or(3, Color::channels),
        };
        if let Some(weights) = &options.class_weights {
            check_weights("class-weights", weights)?;
            if data.class_count() != Some(weights.len()) {
                let expected = format!("one weight for each of {:?} classes", data.class_count().unwrap_or(0));
                return Err(DataError::setting("class-weights", expected, weights.len()));
            }
        }
        if let Some(weights) = &options.example_weights {
            check_weights("example-weights", weights)?;
            if weights.len() != data.total() {
                let expected = format!("{} weights, one per example", data.total());
                return Err(DataError::setting("example-weights", expected, weights.len()));
            }
        }
        check_targets(data.labels(), preprocessing.targets)?;
        if let Some(mixing) = &options.mixing {
            check_mixing(mixing, &data, &preprocessing, shape.as_deref())?;
        }
        check_scores(&data, ids, preprocessing.score_range)?;
        let p = &preprocessing;
        let preparer = Preparer {
            settings: format!(
                "{:?}, decoding {}",
                (p.color, &p.resize, &p.rescale, &p.normalize, &p.table, p.features, &options.augment),
                crate::decode::VERSION
            ),
            augmentations: options.augmentations,
            affine: preprocessing.affine(channels)?,
            data,
            preprocessing,
            augment: options.augment,
            mixing: options.mixing,
            seed: options.seed,
            shape,
            class_weights: options.class_weights,
            example_weights: options.example_weights,
            tokens,
            table,
        };
        Ok((preparer, unusable))
    }

    pub(super) fn data(&self) -> &Dataset {
        &self.data
    }

    pub(super) fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    pub(super) fn shared_data(&self) -> Arc<Dataset> {
        self.data.clone()
    }

    /// Different augmentations of an example; `None` for another one in each epoch.
    pub(super) fn augmentations(&self) -> Option<u64> {
        let is_changed = !self.augment.is_empty() || self.changes_texts();
        match self.mixing {
            None if !is_changed => Some(1),
            None => self.augmentations.map(NonZeroU64::get),
            // Which example another is mixed with depends on the epoch's order.
            Some(_) => None,
        }
    }

    /// The epoch whose augmentations are drawn in `epoch`.
    fn drawn_epoch(&self, epoch: u64) -> u64 {
        self.augmentations.map_or(epoch, |count| epoch % count)
    }

    /// Which random numbers an example is changed by in `epoch`.
    pub(super) fn drawn(&self, id: u64, epoch: u64) -> Drawn {
        Drawn { seed: self.seed, epoch: self.drawn_epoch(epoch), example: id }
    }

    /// The keys of examples as they are prepared in `epoch`.
    pub(super) fn keys(&self, ids: &[u64], epoch: u64) -> Result<Vec<ContentHash>, DataError> {
        let Some(tokens) = &self.tokens else { return ids.iter().map(|&id| self.key(id, epoch)).collect() };
        let mut without = Vec::new();
        let batch = tokens.batch(&self.data, ids, |id| self.drawn(id, epoch), &mut without)?;
        match without.pop() {
            Some(BadExample { place, reason, .. }) => Err(DataError::Unreadable { place, reason }),
            None => Ok((0..ids.len()).map(|place| batch.hash(place)).collect()),
        }
    }

    /// The key of an example that is no text.
    fn key(&self, id: u64, epoch: u64) -> Result<ContentHash, DataError> {
        Ok(self.key_of(self.data.example_hash(id)?, id, epoch))
    }

    /// The key of an example whose input as stored has the hash `content`.
    fn key_of(&self, content: ContentHash, id: u64, epoch: u64) -> ContentHash {
        let drawn = match self.augment.as_slice() {
            [] => [0; 3],
            _ => [self.seed, id, self.drawn_epoch(epoch)],
        };
        ContentHash::of_parts(&[&content.0, self.settings.as_bytes(), bytemuck::cast_slice(&drawn)])
    }

    pub(super) fn input_shape(&self) -> Option<&[usize]> {
        self.shape.as_deref()
    }

    /// Whether texts are changed at random.
    pub(super) fn changes_texts(&self) -> bool {
        self.tokens.as_ref().is_some_and(Tokens::are_changed)
    }

    /// The text or texts of an example as in `epoch`.
    pub(super) fn text(&self, id: u64, epoch: u64) -> Option<(String, Option<String>)> {
        self.tokens.as_ref()?.text(&self.data, id, self.drawn(id, epoch))
    }

    /// How long texts are.
    pub(super) fn token_statistics(&self) -> Option<TokenStatistics> {
        self.tokens.as_ref()?.statistics()
    }

    /// Bytes in memory of tokens.
    pub(super) fn token_bytes(&self) -> usize {
        self.tokens.as_ref().map_or(0, Tokens::size_bytes)
    }

    /// Whether what is known of the lengths of texts is an estimate.
    pub(super) fn estimates_tokens(&self) -> bool {
        self.tokens.as_ref().is_some_and(Tokens::are_estimated)
    }

    /// Numbers of tokens of all examples or of a sample, ascending, where there are texts.
    pub(super) fn sorted_lengths(&self) -> Option<&[usize]> {
        self.tokens.as_ref().map(Tokens::sorted_lengths)
    }

    /// Number of tokens of an example; 0 where there are no texts.
    pub(super) fn tokens(&self, id: u64) -> usize {
        self.tokens.as_ref().map_or(0, |tokens| tokens.length(id))
    }

    /// For each token of an example the word that begins with it, −1 for others; nothing where texts are not given as words.
    pub(super) fn words(&self, id: u64) -> &[i32] {
        self.tokens.as_ref().map_or(&[], |tokens| tokens.words(id))
    }

    pub(super) fn prepare(
        &self,
        ids: &[u64],
        cursor: Cursor,
        next: Cursor,
        keeper: Option<&dyn Keeper>,
        worker: &mut Worker,
        buffers: Buffers,
    ) -> Result<Prepared, DataError> {
        // What is mixed belongs to no single example.
        let keeper = keeper.filter(|_| self.mixing.is_none());
        let mut skipped = Vec::new();
        let batch = |tokens| Tokens::batch(tokens, &self.data, ids, |id| self.drawn(id, cursor.epoch), &mut skipped);
        let tokens = self.tokens.as_ref().map(batch).transpose()?;
        let ids = tokens.as_ref().map_or(ids, |tokens| tokens.ids.as_slice());
        let row = |(place, &id): (usize, &u64)| {
            // A file that cannot be read is met again when it is decoded.
            let key = keeper.and_then(|_| match &tokens {
                Some(tokens) => Some(tokens.hash(place)),
                None => self.key(id, cursor.epoch).ok(),
            });
            let values = keeper.zip(key).and_then(|(keeper, key)| keeper.kept(&key));
            Row { id, key, values }
        };
        let mut rows: Vec<Row> = ids.iter().enumerate().map(row).collect();
        let partial = tokens.is_none() && keeper.is_some_and(Keeper::replaces_inputs);
        let wanted: Vec<u64> = rows.iter().filter(|row| !partial || row.values.is_none()).map(|row| row.id).collect();
        let dense = |input| BatchInputs::Dense(vec![input]);
        let inputs = match (self.data.inputs(), &tokens) {
            (_, Some(tokens)) => BatchInputs::Tokens(Box::new(tokens.inputs())),
            (Inputs::Features(t), None) => dense(self.features(t, &wanted, cursor.epoch, buffers)?),
            (Inputs::Images(t), None) => dense(self.stored_images(t, &wanted, cursor.epoch, worker, buffers.floats)?),
            (Inputs::Encoded(images), None) => {
                let mut read = Vec::with_capacity(wanted.len());
                let input = self.encoded_images(
                    images,
                    &wanted,
                    cursor.epoch,
                    worker,
                    buffers.floats,
                    keeper.is_some(),
                    &mut read,
                    &mut skipped,
                )?;
                rows = self.without_skipped(rows, &wanted, &read, cursor.epoch);
                dense(input)
            }
            (Inputs::Table(t), None) => BatchInputs::Dense(self.table(t, &wanted, cursor.epoch)),
            (Inputs::Texts(_), None) => unreachable!("texts are encoded when the preparer is made"),
        };
        let example_ids: Vec<u64> = rows.iter().map(|row| row.id).collect();
        let kept = keeper.map(|_| {
            let key = |row: &Row| row.key.expect("an example whose file cannot be read is skipped");
            KeptRows {
                keys: rows.iter().map(key).collect(),
                values: rows.into_iter().map(|row| row.values).collect(),
                partial,
            }
        });
        let targets = self.targets(&example_ids, tokens.as_ref());
        let sample_weights = self.sample_weights(&example_ids, tokens.as_ref());
        let (inputs, targets, sample_weights) = match &self.mixing {
            Some(mixing) => self.mixed(mixing, &example_ids, cursor.epoch, (inputs, targets, sample_weights)),
            None => (inputs, targets, sample_weights),
        };
        let batch = Batch { inputs, targets, sample_weights, example_ids, kept, cursor, next };
        Ok(Prepared { batch, skipped })
    }

    /// The examples of a batch mixed with one another.
    fn mixed(
        &self,
        mixing: &Mixing,
        ids: &[u64],
        epoch: u64,
        (inputs, targets, mut weights): (BatchInputs, Targets, Option<Vec<f32>>),
    ) -> (BatchInputs, Targets, Option<Vec<f32>>) {
        let (BatchInputs::Dense(inputs), Targets::Dense(targets)) = (inputs, targets) else {
            unreachable!("a preparer that mixes is made of numbers and dense targets")
        };
        let floats = |tensor: Tensor| match (tensor.shape().to_vec(), tensor.into_values()) {
            (shape, Values::F32(values)) => (shape, values),
            _ => unreachable!("prepared numbers are of 32 bits"),
        };
        let input = inputs.into_iter().next().expect("a batch of numbers has one tensor");
        let ((input_shape, mut values), (target_shape, mut target_values)) = (floats(input), floats(targets));
        let rows = Rows {
            shape: &input_shape[1..],
            inputs: &mut values,
            targets: &mut target_values,
            weights: weights.as_deref_mut(),
        };
        mixing.apply(|i| self.drawn(ids[i], epoch), rows, ids.len());
        let whole = "values of the same number";
        let inputs = BatchInputs::Dense(vec![Tensor::new(input_shape, values).expect(whole)]);
        (inputs, Targets::Dense(Tensor::new(target_shape, target_values).expect(whole)), weights)
    }

    /// The rows without those that were to be read and could not be. What was read has the key of the very bytes that were decoded,
    /// also where the file changed since its hash was first asked for.
    fn without_skipped(
        &self,
        rows: Vec<Row>,
        wanted: &[u64],
        read: &[(u64, Option<ContentHash>)],
        epoch: u64,
    ) -> Vec<Row> {
        let (mut wanted, mut read) = (wanted.iter().peekable(), read.iter().peekable());
        let mut left = Vec::with_capacity(rows.len());
        for row in rows {
            if wanted.next_if(|&&id| id == row.id).is_none() {
                left.push(row);
                continue;
            }
            let Some(&(id, content)) = read.next_if(|(id, _)| *id == row.id) else { continue };
            let key = content.map(|content| self.key_of(content, id, epoch));
            left.push(Row { values: row.values.filter(|_| key == row.key), key, id });
        }
        left
    }
}
