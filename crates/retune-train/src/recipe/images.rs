//! Checks of `[preprocess]` and `[augment]`.

use super::document::{Located, Place};
use super::keys::{FillKind, FitKind, Recipe, value};
use super::settings::Check;
use retune_data::augment::{Brightness, Contrast, Fill, HorizontalFlip, PadCrop, Rotation, VerticalFlip};
use retune_data::preprocess::{Fit, Normalize, Rescale, Resize};
use retune_data::{Augmentation, Preprocessing, TextSettings};

impl Check<'_> {
    pub(super) fn preprocessing(&mut self, recipe: &Recipe) -> Option<Preprocessing> {
        let keys = &recipe.preprocess;
        let normalize = match (&keys.mean, &keys.std) {
            (None, None) => None,
            (Some(mean), Some(std)) => Some(Normalize { mean: mean.value.clone(), std: std.value.clone() }),
            (Some(one), None) | (None, Some(one)) => {
                let hint = Some("give one number per channel for each".to_owned());
                self.document.problem(one.place.clone(), "preprocess", "`mean` and `std` go together", hint);
                None
            }
        };
        let rescale = (keys.scale.is_some() || keys.offset.is_some())
            .then(|| Rescale { scale: value(&keys.scale).unwrap_or(1.0), offset: value(&keys.offset).unwrap_or(0.0) });
        let says_text = keys.max_tokens.is_some() || keys.truncation.is_some() || keys.prefix.is_some();
        let text = says_text.then(|| TextSettings {
            max_tokens: value(&keys.max_tokens),
            truncation: value(&keys.truncation).unwrap_or_default(),
            prefix: value(&keys.prefix).unwrap_or_default(),
        });
        let preprocessing = Preprocessing {
            text,
            color: value(&keys.color),
            resize: self.resize(recipe),
            rescale,
            normalize,
            features: value(&keys.features).unwrap_or_default(),
            ..Preprocessing::default()
        };
        let scores = Preprocessing { score_range: value(&keys.score_range), ..Preprocessing::default() };
        if let Err(error) = preprocessing.check().and_then(|()| scores.check()) {
            self.document.problem(Place::Absent, "preprocess", error.to_string(), None);
        }
        (preprocessing != Preprocessing::default()).then_some(preprocessing)
    }

    fn resize(&mut self, recipe: &Recipe) -> Option<Resize> {
        let keys = &recipe.preprocess;
        let fit = value(&keys.resize_fit).unwrap_or(FitKind::Stretch);
        let is_set = keys.resize.is_some();
        self.belongs("preprocess.resize-filter", &keys.resize_filter, is_set, "goes with `resize`");
        self.belongs("preprocess.resize-antialias", &keys.resize_antialias, is_set, "goes with `resize`");
        self.belongs("preprocess.resize-fit", &keys.resize_fit, is_set, "goes with `resize`");
        let is_crop = fit == FitKind::CenterCrop;
        self.belongs(
            "preprocess.crop-fraction",
            &keys.crop_fraction,
            is_crop,
            "belongs to `resize-fit = \"center-crop\"`",
        );
        self.belongs("preprocess.pad-value", &keys.pad_value, fit == FitKind::Pad, "belongs to `resize-fit = \"pad\"`");
        let [height, width] = value(&keys.resize)?;
        Some(Resize {
            height,
            width,
            filter: value(&keys.resize_filter).unwrap_or_default(),
            antialias: value(&keys.resize_antialias).unwrap_or(false),
            fit: match fit {
                FitKind::Stretch => Fit::Stretch,
                FitKind::CenterCrop => Fit::CenterCrop { fraction: value(&keys.crop_fraction).unwrap_or(1.0) },
                FitKind::Pad => Fit::Pad { value: value(&keys.pad_value).unwrap_or(0.0) },
            },
        })
    }

    pub(super) fn augment(&mut self, recipe: &Recipe) -> Vec<Augmentation> {
        let keys = &recipe.augment;
        let set = |key: &Option<Located<f32>>| value(key).filter(|&amount| amount != 0.0);
        let kind = value(&keys.fill).unwrap_or(FillKind::Reflect);
        let is_constant = kind == FillKind::Constant;
        self.belongs("augment.fill-value", &keys.fill_value, is_constant, "belongs to `fill = \"constant\"`");
        let fill = match kind {
            FillKind::Reflect => Fill::Reflect,
            FillKind::Nearest => Fill::Nearest,
            FillKind::Constant => Fill::Constant { value: value(&keys.fill_value).unwrap_or(0.0) },
        };
        let value_range = value(&keys.value_range).unwrap_or([0.0, 255.0]);
        let mut list = Vec::new();
        if let Some(probability) = set(&keys.horizontal_flip) {
            list.push(Augmentation::HorizontalFlip(HorizontalFlip { probability }));
        }
        if let Some(probability) = set(&keys.vertical_flip) {
            list.push(Augmentation::VerticalFlip(VerticalFlip { probability }));
        }
        if let Some(padding) = value(&keys.pad_crop).filter(|&padding| padding != 0) {
            list.push(Augmentation::PadCrop(PadCrop { padding, fill }));
        }
        if let Some(max_degrees) = set(&keys.rotation) {
            list.push(Augmentation::Rotation(Rotation { max_degrees, fill }));
        }
        if let Some(max_delta) = set(&keys.brightness) {
            list.push(Augmentation::Brightness(Brightness { max_delta, value_range }));
        }
        if let Some(max_change) = set(&keys.contrast) {
            list.push(Augmentation::Contrast(Contrast { max_change, value_range }));
        }
        for augmentation in &list {
            if let Err(error) = augmentation.check() {
                self.document.problem(Place::Absent, "augment", error.to_string(), None);
            }
        }
        list
    }

    /// Notes a problem where a key is given that has no meaning as things are.
    fn belongs<T>(&mut self, key: &str, field: &Option<Located<T>>, has_meaning: bool, message: &str) {
        if let (Some(located), false) = (field, has_meaning) {
            self.document.problem(located.place.clone(), key, message, None);
        }
    }
}
