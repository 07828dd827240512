//! `[split]` and sampling: checks, and how the data are divided.

use super::document::{Located, Place};
use super::keys::Recipe;
use super::sections::value;
use super::settings::{AT_LEAST_1, Check, Settings, goes_with};
use super::values::SamplingKey;
use crate::error::TrainError;
use crate::language::Said;
use crate::said;
use retune_data::split::few_per_class;
use retune_data::{Dataset, Division, Sampling, Split, StoredSplit};
use std::path::Path;

impl Check<'_> {
    /// Keys of `[split]` that do not go together.
    pub(super) fn split(&mut self, recipe: &Recipe) {
        fn place<T>(field: &Option<Located<T>>) -> Option<Place> {
            field.as_ref().map(|located| located.place.clone())
        }
        let (split, data) = (&recipe.split, &recipe.data);
        self.require("split.folds", &split.folds, ("at least 2", "不小于 2 的数"), |&n| n >= 2);
        self.require("data.draw", &data.draw, AT_LEAST_1, |&n| n > 0);
        self.require("data.sampling-size", &data.sampling_size, AT_LEAST_1, |&n| n > 0);
        if let (Some(folds), Some(Located { value: fold, place })) = (value(&split.folds), &split.fold)
            && (*fold == 0 || *fold > folds)
        {
            let message = said!(
                "expected 1 to {folds}, one of the folds, found {fold}",
                "应为 1 到 {folds} 中的一折，实际为 {fold}"
            );
            self.document.problem(place.clone(), "split.fold", message, None);
        }
        let mut conflict = |key: &str, place: Option<Place>, message: Said, hint: Option<&str>| {
            if let Some(place) = place {
                self.document.problem(place, key, message, hint.map(str::to_owned));
            }
        };
        if split.group.is_some() {
            let hint = "keep one of the two";
            let message = Said::new("does not go with `group`", "不能与 `group` 并用");
            conflict("split.time", place(&split.time), message, Some(hint));
        }
        if split.folds.is_some() {
            let tests = Said::new(
                "does not go with `folds`: each fold tests in its turn",
                "不能与 `folds` 并用：各折轮流作测试",
            );
            conflict("split.test", place(&split.test), tests.clone(), None);
            conflict("data.test", place(&data.test), tests, None);
            let time = Said::new(
                "does not go with `folds`, which would test on what came before training",
                "不能与 `folds` 并用：那样会用训练之前的数据测试",
            );
            conflict("split.time", place(&split.time), time, None);
        } else {
            conflict("split.fold", place(&split.fold), goes_with("folds"), None);
        }
        if split.path.is_some() {
            let fixed =
                Said::new("does not go with `path`, whose file says all of it", "不能与 `path` 并用：其文件已说明一切");
            for (key, place) in [
                ("split.validation", place(&split.validation)),
                ("split.test", place(&split.test)),
                ("split.folds", place(&split.folds)),
                ("data.per-class", place(&data.per_class)),
            ] {
                conflict(key, place, fixed.clone(), None);
            }
        }
        if data.per_class.is_none() {
            conflict("data.draw", place(&data.draw), goes_with("per-class"), None);
        }
        if data.sampling.is_none() {
            conflict("data.sampling-size", place(&data.sampling_size), goes_with("sampling"), None);
        }
    }
}

impl Settings {
    /// How often training examples are drawn, if they are.
    pub fn sampling(&self) -> Option<Sampling> {
        value(&self.recipe().data.sampling).map(|key| match key {
            SamplingKey::Balanced(_) => Sampling::Balanced,
            SamplingKey::Classes(weights) => Sampling::Classes(weights.classes),
            SamplingKey::Column(_) => Sampling::Column,
        })
    }

    /// The division of the training data, of which validation and test part may have `own` sources. Of few training examples, these
    /// alone.
    ///
    /// # Errors
    /// What the data cannot be divided by, and a stored split of other data.
    pub(super) fn divide(&self, train: &Dataset, folder: &Path, own: [bool; 2]) -> Result<Split, TrainError> {
        let (split, data) = (&self.recipe().split, &self.recipe().data);
        if let Some(path) = value(&split.path) {
            return Ok(StoredSplit::read(&folder.join(path), train)?);
        }
        let division = match (&split.group, &split.time) {
            (Some(_), _) => Division::Groups,
            (None, Some(_)) => Division::Time,
            (None, None) => Division::Classes,
        };
        let share = |asked: Option<f64>, default: f64, given: bool| if given { 0.0 } else { asked.unwrap_or(default) };
        let validation = share(value(&split.validation), 0.1, own[0]);
        let seed = value(&split.seed).unwrap_or(self.train().seed);
        let mut parts = match value(&split.folds) {
            Some(folds) => {
                let fold = value(&split.fold).unwrap_or(1);
                division.fold(train, [fold.saturating_sub(1), folds], validation, seed)?
            }
            None => division.shares(train, validation, share(value(&split.test), 0.0, own[1]), seed)?,
        };
        if let Some(per_class) = value(&data.per_class) {
            let draw = value(&data.draw).unwrap_or(0);
            parts.train = few_per_class(train, &parts.train, per_class, seed, draw)?;
        }
        Ok(parts)
    }
}
