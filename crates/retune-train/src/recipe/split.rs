//! `[split]` and sampling: checks, and how the data are divided.

use super::document::{Located, Place};
use super::keys::{Recipe, SamplingKey, value};
use super::settings::{Check, Settings};
use crate::error::TrainError;
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
        self.require("split.folds", &split.folds, "at least 2", |&n| n >= 2);
        self.require("data.draw", &data.draw, "a number from 1", |&n| n > 0);
        self.require("data.sampling-size", &data.sampling_size, "at least 1", |&n| n > 0);
        if let (Some(folds), Some(Located { value: fold, place })) = (value(&split.folds), &split.fold)
            && (*fold == 0 || *fold > folds)
        {
            let message = format!("expected 1 to {folds}, one of the folds, found {fold}");
            self.document.problem(place.clone(), "split.fold", message, None);
        }
        let mut conflict = |key: &str, place: Option<Place>, message: &str, hint: Option<&str>| {
            if let Some(place) = place {
                self.document.problem(place, key, message, hint.map(str::to_owned));
            }
        };
        if split.group.is_some() {
            let hint = "keep one of the two";
            conflict("split.time", place(&split.time), "does not go with `group`", Some(hint));
        }
        if split.folds.is_some() {
            let tests = "does not go with `folds`: each fold tests in its turn";
            conflict("split.test", place(&split.test), tests, None);
            conflict("data.test", place(&data.test), tests, None);
            let time = "does not go with `folds`, which would test on what came before training";
            conflict("split.time", place(&split.time), time, None);
        } else {
            conflict("split.fold", place(&split.fold), "goes with `folds`", None);
        }
        if split.path.is_some() {
            let fixed = "does not go with `path`, whose file says all of it";
            conflict("split.validation", place(&split.validation), fixed, None);
            conflict("split.test", place(&split.test), fixed, None);
            conflict("split.folds", place(&split.folds), fixed, None);
            conflict("data.per-class", place(&data.per_class), fixed, None);
        }
        if data.per_class.is_none() {
            conflict("data.draw", place(&data.draw), "goes with `per-class`", None);
        }
        if data.sampling.is_none() {
            conflict("data.sampling-size", place(&data.sampling_size), "goes with `sampling`", None);
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
