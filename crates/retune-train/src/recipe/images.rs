//! Checks of `[preprocess]`.

use super::document::{Located, Place};
use super::keys::Recipe;
use super::sections::value;
use super::settings::{Check, goes_with};
use super::values::FitKind;
use crate::language::Said;
use crate::said;
use retune_data::preprocess::{Fit, Normalize, Rescale, Resize};
use retune_data::{Preprocessing, TextSettings};

impl Check<'_> {
    pub(super) fn preprocessing(&mut self, recipe: &Recipe) -> Option<Preprocessing> {
        let keys = &recipe.preprocess;
        let normalize = match (&keys.mean, &keys.std) {
            (None, None) => None,
            (Some(mean), Some(std)) => Some(Normalize { mean: mean.value.clone(), std: std.value.clone() }),
            (Some(one), None) | (None, Some(one)) => {
                let message = ("`mean` and `std` go together", "`mean` 和 `std` 要一起给出");
                let hint = Some("give one number per channel for each".to_owned());
                self.document.problem(one.place.clone(), "preprocess", message, hint);
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
            self.document.problem(Place::Absent, "preprocess", Said::looked_up(error.to_string()), None);
        }
        (preprocessing != Preprocessing::default()).then_some(preprocessing)
    }

    fn resize(&mut self, recipe: &Recipe) -> Option<Resize> {
        let keys = &recipe.preprocess;
        let fit = value(&keys.resize_fit).unwrap_or(FitKind::Stretch);
        let is_set = keys.resize.is_some();
        self.belongs("preprocess.resize-filter", &keys.resize_filter, is_set, goes_with("resize"));
        self.belongs("preprocess.resize-antialias", &keys.resize_antialias, is_set, goes_with("resize"));
        self.belongs("preprocess.resize-fit", &keys.resize_fit, is_set, goes_with("resize"));
        let of_fit = |kind: &str| said!("belongs to `resize-fit = \"{kind}\"`", "属于 `resize-fit = \"{kind}\"`");
        let is_crop = fit == FitKind::CenterCrop;
        self.belongs("preprocess.crop-fraction", &keys.crop_fraction, is_crop, of_fit("center-crop"));
        self.belongs("preprocess.pad-value", &keys.pad_value, fit == FitKind::Pad, of_fit("pad"));
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

    /// Notes a problem where a key is given that has no meaning as things are.
    pub(super) fn belongs<T>(
        &mut self,
        key: &str,
        field: &Option<Located<T>>,
        has_meaning: bool,
        message: impl Into<Said>,
    ) {
        if let (Some(located), false) = (field, has_meaning) {
            self.document.problem(located.place.clone(), key, message, None);
        }
    }
}
