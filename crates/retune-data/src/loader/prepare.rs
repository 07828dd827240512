//! One batch from its ids.

use super::tokens::{BatchTokens, Tokens};
use super::{Batch, BatchInputs, Cursor, Keeper, KeptRows, LoaderOptions, Targets};
use crate::augment::mixing::Rows;
use crate::augment::{
    AugmentScratch, Augmentation, Drawn, Mixing, Stage, augment_bytes, augment_floats, augment_normalized, check_list,
    takes_bytes,
};
use crate::dataset::{Dataset, EncodedImages, Inputs};
use crate::decode::decode_image;
use crate::error::{BadExample, DataError, shape_text};
use crate::hash::ContentHash;
use crate::labels::Labels;
use crate::preprocess::normalize::Affine;
use crate::preprocess::{Color, FeatureType, ImageView, Preprocessing, Samples, Scratch, TargetEncoding};
use crate::table::{TableColumns, TableEncoder};
use crate::text::TokenStatistics;
use crate::weights::check_weights;
use retune_tensor::{Tensor, Values};
use std::num::NonZeroU64;
use std::sync::Arc;

/// All that preparing a batch needs, shared by the threads.
#[derive(Debug)]
pub(super) struct Preparer {
    data: Arc<Dataset>,
    preprocessing: Preprocessing,
    augment: Vec<Augmentation>,
    mixing: Option<Mixing>,
    augmentations: Option<NonZeroU64>,
    seed: u64,
    /// All that is done to a stored input, as a text, for keys.
    settings: String,
    affine: Affine,
    /// Shape of one prepared input; `None` for image files that keep their own size.
    shape: Option<Vec<usize>>,
    class_weights: Option<Vec<f32>>,
    example_weights: Option<Vec<f32>>,
    /// Of texts.
    tokens: Option<Tokens>,
    /// Of tables of columns.
    table: Option<TableEncoder>,
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
    scratch: Scratch,
    stored: Vec<f32>,
    augment: AugmentScratch,
}

/// Memory of a batch that was used.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    floats: Vec<f32>,
    integers: Vec<i32>,
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
            let (encoded, without) = Tokens::new(&data, texts, ids, encoder, options.text_augment.as_deref())?;
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
    fn drawn(&self, id: u64, epoch: u64) -> Drawn {
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

    /// Numbers of tokens of all examples, ascending, where there are texts.
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

    fn batch_shape(&self, count: usize, one: &[usize]) -> Vec<usize> {
        [&[count], one].concat()
    }

    fn features(&self, stored: &Tensor, ids: &[u64], epoch: u64, buffers: Buffers) -> Result<Tensor, DataError> {
        let one = &stored.shape()[1..];
        let width: usize = one.iter().product();
        let shape = self.batch_shape(ids.len(), one);
        if self.preprocessing.features == FeatureType::Integer {
            let mut out = buffers.integers;
            out.resize(ids.len() * width, 0);
            for (&id, out) in ids.iter().zip(out.chunks_exact_mut(width)) {
                copy_as_i32(stored.values(), id as usize * width, out)
                    .map_err(|found| DataError::setting(self.data.place(id), "integers that fit in 32 bits", found))?;
            }
            return Ok(Tensor::new(shape, out).expect("the buffer was made of this size"));
        }
        let mut out = buffers.floats;
        out.resize(ids.len() * width, 0.0);
        for (&id, out) in ids.iter().zip(out.chunks_exact_mut(width)) {
            copy_as_f32(stored.values(), id as usize * width, out);
            self.affine.apply_in_place(out);
            augment_normalized(&self.augment, self.drawn(id, epoch), out, [1, 1, width]);
        }
        Ok(Tensor::new(shape, out).expect("the buffer was made of this size"))
    }

    /// Numbers, then categories, each where there are any.
    fn table(&self, table: &TableColumns, ids: &[u64], epoch: u64) -> Vec<Tensor> {
        let (Some(encoder), Some(schema)) = (&self.table, &self.preprocessing.table) else {
            unreachable!("an encoder is made with the preparer")
        };
        let (width, categories) = (schema.number_width(), schema.category_width());
        let mut numbers = vec![0.0; ids.len() * width];
        for (&id, out) in ids.iter().zip(numbers.chunks_exact_mut(width.max(1))) {
            let mut normalized = encoder.normalized(table, id as usize);
            let shape = [1, 1, normalized.len()];
            augment_normalized(&self.augment, self.drawn(id, epoch), &mut normalized, shape);
            encoder.numbers(table, id as usize, &normalized, out);
        }
        let indices: Vec<i32> = ids.iter().flat_map(|&id| encoder.categories(table, id as usize)).collect();
        let whole = "as many values for each row";
        let mut inputs = Vec::new();
        if width > 0 {
            inputs.push(Tensor::new([ids.len(), width], numbers).expect(whole));
        }
        if categories > 0 {
            inputs.push(Tensor::new([ids.len(), categories], indices).expect(whole));
        }
        inputs
    }

    fn stored_images(
        &self,
        images: &Tensor,
        ids: &[u64],
        epoch: u64,
        worker: &mut Worker,
        mut out: Vec<f32>,
    ) -> Result<Tensor, DataError> {
        let stored = [images.shape()[1], images.shape()[2], images.shape()[3]];
        let shape = self.preprocessing.image_shape(stored);
        let (size, prepared): (usize, usize) = (stored.iter().product(), shape.iter().product());
        out.resize(ids.len() * prepared, 0.0);
        for (&id, out) in ids.iter().zip(out.chunks_exact_mut(prepared)) {
            let start = id as usize * size;
            let samples = match images.values() {
                Values::U8(bytes) => Samples::U8(&bytes[start..start + size]),
                Values::F32(floats) => Samples::F32(&floats[start..start + size]),
                other => {
                    worker.stored.resize(size, 0.0);
                    copy_as_f32(other, start, &mut worker.stored);
                    Samples::F32(&worker.stored)
                }
            };
            let view = ImageView { shape: stored, samples };
            self.image(view, id, epoch, &mut worker.scratch, &mut worker.augment, out)?;
        }
        Ok(Tensor::new(self.batch_shape(ids.len(), &shape), out).expect("the buffer was made of this size"))
    }

    fn encoded_images(
        &self,
        images: &EncodedImages,
        ids: &[u64],
        epoch: u64,
        worker: &mut Worker,
        mut out: Vec<f32>,
        hashed: bool,
        read: &mut Vec<(u64, Option<ContentHash>)>,
        skipped: &mut Vec<BadExample>,
    ) -> Result<Tensor, DataError> {
        let mut shape: Option<[usize; 3]> = self.shape.as_ref().and_then(|s| s.as_slice().try_into().ok());
        let mut filled = 0;
        for &id in ids {
            let bad = |reason| BadExample { id, place: self.data.place(id), reason };
            let decoded = images
                .read(id as usize)
                .and_then(|bytes| Ok((hashed.then(|| ContentHash::of(&bytes)), decode_image(&bytes)?)));
            let (content, image) = match decoded {
                Ok(decoded) => decoded,
                Err(reason) => {
                    skipped.push(bad(reason));
                    continue;
                }
            };
            let view = ImageView::from(&image);
            let found = self.preprocessing.image_shape(view.shape);
            let wanted = *shape.get_or_insert(found);
            if found != wanted {
                let reason = format!("expected shape {}, found {}", shape_text(&wanted), shape_text(&found));
                skipped.push(bad(reason));
                continue;
            }
            let size: usize = wanted.iter().product();
            if filled == 0 {
                out.resize(ids.len() * size, 0.0);
            }
            let slot = &mut out[filled * size..(filled + 1) * size];
            self.image(view, id, epoch, &mut worker.scratch, &mut worker.augment, slot)?;
            read.push((id, content));
            filled += 1;
        }
        let one = shape.unwrap_or([0; 3]);
        // Also where nothing was read into a buffer that was used before.
        out.truncate(filled * one.iter().product::<usize>());
        Ok(Tensor::new(self.batch_shape(filled, &one), out).expect("the buffer was cut to this size"))
    }

    /// Colour and size, augmentation, scale.
    fn image(
        &self,
        view: ImageView<'_>,
        id: u64,
        epoch: u64,
        scratch: &mut Scratch,
        augmented: &mut AugmentScratch,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        let shape = self.preprocessing.image_shape(view.shape);
        let drawn = self.drawn(id, epoch);
        match view.samples {
            Samples::U8(bytes) if self.augment.is_empty() && self.preprocessing.keeps_pixels(view.shape) => {
                self.affine.apply_u8(bytes, out);
            }
            _ if takes_bytes(&self.augment) => self.image_by_bytes(view, drawn, scratch, augmented, out)?,
            _ => {
                self.preprocessing.pixels(view, scratch, out)?;
                augment_floats(&self.augment, 0, drawn, out, shape, &mut augmented.floats);
                self.affine.apply_in_place(out);
            }
        }
        augment_normalized(&self.augment, drawn, out, shape);
        Ok(())
    }

    /// The same where augmentations act on bytes.
    fn image_by_bytes(
        &self,
        view: ImageView<'_>,
        drawn: Drawn,
        scratch: &mut Scratch,
        augmented: &mut AugmentScratch,
        out: &mut [f32],
    ) -> Result<(), DataError> {
        let [height, width, _] = view.shape;
        let shape = self.preprocessing.image_shape(view.shape);
        let crop = match self.augment.first() {
            Some(Augmentation::RandomResizedCrop(crop)) => {
                let resize = crop.resize(self.preprocessing.resize.as_ref(), [shape[0], shape[1]]);
                Some((crop.crop_box(drawn.key(0), [height, width]), resize))
            }
            _ => None,
        };
        self.preprocessing.raster(view, crop, scratch, &mut augmented.raster)?;
        let done = augment_bytes(&self.augment, drawn, augmented);
        let pixels = &mut augmented.raster.pixels;
        if self.preprocessing.color == Some(Color::Bgr) {
            pixels.as_chunks_mut::<3>().0.iter_mut().for_each(|pixel| pixel.swap(0, 2));
        }
        if self.augment[done..].iter().all(|a| a.stage() == Some(Stage::Normalized)) {
            self.affine.apply_u8(pixels, out);
            return Ok(());
        }
        pixels.iter().zip(&mut *out).for_each(|(&x, out)| *out = f32::from(x));
        augment_floats(&self.augment, done, drawn, out, shape, &mut augmented.floats);
        self.affine.apply_in_place(out);
        Ok(())
    }

    fn targets(&self, ids: &[u64], tokens: Option<&BatchTokens<'_>>) -> Targets {
        let labels = self.data.labels();
        let indices = || -> Vec<i32> {
            ids.iter().map(|&id| labels.class_of(id as usize).map_or(-1, |class| class as i32)).collect()
        };
        let dense = |shape: &[usize], values: Vec<f32>| {
            let shape = self.batch_shape(ids.len(), shape);
            Targets::Dense(Tensor::new(shape, values).expect("one row was appended for each example"))
        };
        match (labels, self.preprocessing.targets) {
            (Labels::None, _) => Targets::None,
            (Labels::WordClasses { .. }, _) => Targets::TokenClasses(self.word_classes(ids, tokens).concat()),
            (Labels::Classes { .. }, TargetEncoding::AsStored | TargetEncoding::Integer)
            | (Labels::OneHot(_), TargetEncoding::Integer) => Targets::ClassIndex(indices()),
            (Labels::Classes { classes, .. }, TargetEncoding::OneHot) => {
                let mut values = vec![0.0; ids.len() * classes];
                for (row, index) in values.chunks_exact_mut((*classes).max(1)).zip(indices()) {
                    row[index as usize] = 1.0;
                }
                dense(&[*classes], values)
            }
            (Labels::Classes { .. } | Labels::OneHot(_), TargetEncoding::Value) => {
                dense(&[1], indices().into_iter().map(|index| index as f32).collect())
            }
            (Labels::OneHot(t) | Labels::MultiHot(t) | Labels::Real(t), _) => {
                let rows = ids.iter().filter_map(|&id| labels.row(id as usize));
                let mut values: Vec<f32> = rows.flatten().copied().collect();
                if let (Labels::Real(_), Some([low, high])) = (labels, self.preprocessing.score_range) {
                    values.iter_mut().for_each(|value| *value = (*value - low) / (high - low));
                }
                dense(&t.shape()[1..], values)
            }
        }
    }

    /// For each token of each example the class of the word that begins with it, −1 for others.
    fn word_classes(&self, ids: &[u64], tokens: Option<&BatchTokens<'_>>) -> Vec<Vec<i32>> {
        let of = |(place, &id)| tokens.map(|tokens| tokens.classes(place, id, self.data.labels()).collect());
        ids.iter().enumerate().filter_map(of).collect()
    }

    fn sample_weights(&self, ids: &[u64], tokens: Option<&BatchTokens<'_>>) -> Option<Vec<f32>> {
        if self.class_weights.is_none() && self.example_weights.is_none() {
            return None;
        }
        if let Labels::WordClasses { .. } = self.data.labels() {
            let of_class = |class: i32| match (usize::try_from(class), &self.class_weights) {
                (Err(_), _) => 0.0,
                (Ok(_), None) => 1.0,
                (Ok(class), Some(weights)) => weights[class],
            };
            let of_example = |(&id, classes): (&u64, Vec<i32>)| {
                let weight = self.example_weights.as_ref().map_or(1.0, |weights| weights[id as usize]);
                classes.into_iter().map(move |class| weight * of_class(class)).collect::<Vec<_>>()
            };
            return Some(ids.iter().zip(self.word_classes(ids, tokens)).flat_map(of_example).collect());
        }
        let weight = |&id: &u64| {
            let class = self.data.labels().class_of(id as usize);
            let of_class = self.class_weights.as_ref().zip(class).map_or(1.0, |(weights, class)| weights[class]);
            of_class * self.example_weights.as_ref().map_or(1.0, |weights| weights[id as usize])
        };
        Some(ids.iter().map(weight).collect())
    }
}

/// An error where settings for images stand beside other inputs.
fn check_no_images(
    preprocessing: &Preprocessing,
    augment: &[Augmentation],
    found: impl Fn() -> String,
) -> Result<(), DataError> {
    let settings = [
        ("color", preprocessing.color.is_some()),
        ("resize", preprocessing.resize.is_some()),
        ("augment", augment.iter().any(|a| !matches!(a, Augmentation::Noise(_)))),
    ];
    match settings.iter().find(|(_, set)| *set) {
        Some((name, _)) => Err(DataError::setting(*name, "images of shape [height, width, channels]", found())),
        None => Ok(()),
    }
}

/// An error where examples cannot be mixed.
fn check_mixing(
    mixing: &Mixing,
    data: &Dataset,
    preprocessing: &Preprocessing,
    shape: Option<&[usize]>,
) -> Result<(), DataError> {
    mixing.check()?;
    if data.table().is_none() || mixing.cutmix.is_some() {
        mixing.check_shape(shape)?;
    }
    if matches!(data.inputs(), Inputs::Features(_)) && preprocessing.features == FeatureType::Integer {
        return Err(DataError::setting("mixup", "images or numbers", "integers that a network looks up"));
    }
    if preprocessing.table.as_ref().is_some_and(|schema| schema.category_width() > 0) {
        return Err(DataError::setting("mixup", "images or numbers alone", "a table with categories"));
    }
    let dense = match (data.labels(), preprocessing.targets) {
        (Labels::None | Labels::WordClasses { .. }, _) => false,
        (Labels::Classes { .. } | Labels::OneHot(_), TargetEncoding::Integer) => false,
        (Labels::Classes { classes, .. }, TargetEncoding::Value) => *classes <= 2,
        (Labels::OneHot(_), TargetEncoding::Value) => false,
        (Labels::Classes { .. }, TargetEncoding::AsStored) => false,
        _ => true,
    };
    if dense {
        return Ok(());
    }
    let hint = "targets that can be mixed, such as `one-hot` with categorical cross-entropy";
    Err(DataError::setting("mixup", hint, "class numbers"))
}

/// An error where images are not of 8 bits, or neither grey nor of three colours.
fn check_bytes(images: &Tensor, channels: usize, description: &str) -> Result<(), DataError> {
    if matches!(images.values(), Values::U8(_)) && matches!(channels, 1 | 3) {
        return Ok(());
    }
    let expected = "images of 8 bits and 1 or 3 channels, for all but flips, `pad-crop`, `rotation`, `brightness`, `contrast` and `erasing`";
    let found = format!("{} of {} and {channels} channels", description, images.dtype());
    Err(DataError::setting("augment", expected, found))
}

fn check_targets(labels: &Labels, encoding: TargetEncoding) -> Result<(), DataError> {
    let fits = match labels {
        Labels::None | Labels::Classes { .. } | Labels::OneHot(_) => true,
        Labels::MultiHot(_) | Labels::Real(_) | Labels::WordClasses { .. } => encoding == TargetEncoding::AsStored,
    };
    if fits {
        return Ok(());
    }
    Err(DataError::setting(
        "targets",
        "`as-stored` where an example has not exactly one class",
        format!("{encoding:?}"),
    ))
}

/// An error where a score lies outside of the range that scores have.
fn check_scores(data: &Dataset, ids: &[u64], range: Option<[f32; 2]>) -> Result<(), DataError> {
    let (Some([low, high]), Labels::Real(_)) = (range, data.labels()) else { return Ok(()) };
    let outside = |&id: &u64| {
        let score = data.labels().row(id as usize)?.iter().find(|score| !(low..=high).contains(*score))?;
        Some(DataError::ScoreOutOfRange { place: data.place(id), score: *score, low, high })
    };
    ids.iter().find_map(outside).map_or(Ok(()), Err)
}

/// Values from `start` on, as many as `out` takes, as `f32`.
pub(crate) fn copy_as_f32(values: &Values, start: usize, out: &mut [f32]) {
    fn copy<T: Copy>(values: &[T], start: usize, out: &mut [f32], to_f32: impl Fn(T) -> f32) {
        let values = &values[start..start + out.len()];
        values.iter().zip(out).for_each(|(&value, out)| *out = to_f32(value));
    }
    match values {
        Values::F32(v) => copy(v, start, out, |x| x),
        Values::F64(v) => copy(v, start, out, |x| x as f32),
        Values::F16(v) => copy(v, start, out, |x| x.to_f32()),
        Values::BF16(v) => copy(v, start, out, |x| x.to_f32()),
        Values::I8(v) => copy(v, start, out, f32::from),
        Values::I16(v) => copy(v, start, out, f32::from),
        Values::I32(v) => copy(v, start, out, |x| x as f32),
        Values::I64(v) => copy(v, start, out, |x| x as f32),
        Values::U8(v) => copy(v, start, out, f32::from),
        Values::U16(v) => copy(v, start, out, f32::from),
        Values::U32(v) => copy(v, start, out, |x| x as f32),
        Values::U64(v) => copy(v, start, out, |x| x as f32),
        Values::Bool(v) => copy(v, start, out, |x| f32::from(u8::from(x))),
    }
}

/// Values from `start` on as `i32`; the first value that is none, in words.
fn copy_as_i32(values: &Values, start: usize, out: &mut [i32]) -> Result<(), String> {
    fn copy<T: Copy + std::fmt::Display>(
        values: &[T],
        start: usize,
        out: &mut [i32],
        to_i32: impl Fn(T) -> Option<i32>,
    ) -> Result<(), String> {
        let values = &values[start..start + out.len()];
        values.iter().zip(out).try_for_each(|(&value, out)| {
            *out = to_i32(value).ok_or_else(|| value.to_string())?;
            Ok(())
        })
    }
    let whole = |x: f64| (x.fract() == 0.0 && x.abs() <= f64::from(i32::MAX)).then_some(x as i32);
    match values {
        Values::F32(v) => copy(v, start, out, |x| whole(f64::from(x))),
        Values::F64(v) => copy(v, start, out, whole),
        Values::F16(v) => copy(v, start, out, |x| whole(f64::from(x.to_f32()))),
        Values::BF16(v) => copy(v, start, out, |x| whole(f64::from(x.to_f32()))),
        Values::I8(v) => copy(v, start, out, |x| Some(i32::from(x))),
        Values::I16(v) => copy(v, start, out, |x| Some(i32::from(x))),
        Values::I32(v) => copy(v, start, out, Some),
        Values::I64(v) => copy(v, start, out, |x| i32::try_from(x).ok()),
        Values::U8(v) => copy(v, start, out, |x| Some(i32::from(x))),
        Values::U16(v) => copy(v, start, out, |x| Some(i32::from(x))),
        Values::U32(v) => copy(v, start, out, |x| i32::try_from(x).ok()),
        Values::U64(v) => copy(v, start, out, |x| i32::try_from(x).ok()),
        Values::Bool(v) => copy(v, start, out, |x| Some(i32::from(x))),
    }
}
