//! Settings and labels that do not suit the data, told before the first batch.

use crate::augment::{Augmentation, Mixing};
use crate::dataset::{Dataset, Inputs};
use crate::error::DataError;
use crate::labels::Labels;
use crate::preprocess::{FeatureType, Preprocessing, TargetEncoding};
use retune_tensor::{Tensor, Values};

/// An error where settings for images stand beside other inputs.
pub(super) fn check_no_images(
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
pub(super) fn check_mixing(
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
pub(super) fn check_bytes(images: &Tensor, channels: usize, description: &str) -> Result<(), DataError> {
    if matches!(images.values(), Values::U8(_)) && matches!(channels, 1 | 3) {
        return Ok(());
    }
    let expected = "images of 8 bits and 1 or 3 channels, for all but flips, `pad-crop`, `rotation`, `brightness`, `contrast` and `erasing`";
    let found = format!("{} of {} and {channels} channels", description, images.dtype());
    Err(DataError::setting("augment", expected, found))
}

pub(super) fn check_targets(labels: &Labels, encoding: TargetEncoding) -> Result<(), DataError> {
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
pub(super) fn check_scores(data: &Dataset, ids: &[u64], range: Option<[f32; 2]>) -> Result<(), DataError> {
    let (Some([low, high]), Labels::Real(_)) = (range, data.labels()) else { return Ok(()) };
    let outside = |&id: &u64| {
        let score = data.labels().row(id as usize)?.iter().find(|score| !(low..=high).contains(*score))?;
        Some(DataError::ScoreOutOfRange { place: data.place(id), score: *score, low, high })
    };
    ids.iter().find_map(outside).map_or(Ok(()), Err)
}
