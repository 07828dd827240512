//! The inputs of a batch: numbers, columns and images as a network takes them.

use super::numbers::{copy_as_f32, copy_as_i32};
use super::prepare::{Buffers, Preparer, Worker};
use crate::augment::{
    AugmentScratch, Augmentation, Drawn, Stage, augment_bytes, augment_floats, augment_normalized, takes_bytes,
};
use crate::dataset::EncodedImages;
use crate::decode::decode_image;
use crate::error::{BadExample, DataError, shape_text};
use crate::hash::ContentHash;
use crate::preprocess::{Color, FeatureType, ImageView, Samples, Scratch};
use crate::table::TableColumns;
use retune_tensor::{Tensor, Values};

impl Preparer {
    pub(super) fn batch_shape(&self, count: usize, one: &[usize]) -> Vec<usize> {
        [&[count], one].concat()
    }

    pub(super) fn features(
        &self,
        stored: &Tensor,
        ids: &[u64],
        epoch: u64,
        buffers: Buffers,
    ) -> Result<Tensor, DataError> {
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
    pub(super) fn table(&self, table: &TableColumns, ids: &[u64], epoch: u64) -> Vec<Tensor> {
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

    pub(super) fn stored_images(
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

    pub(super) fn encoded_images(
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
}
