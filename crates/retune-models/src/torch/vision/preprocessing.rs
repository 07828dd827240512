//! What images must be made into for a network: size, crop, scale of values.
//!
//! Where a folder has no `preprocessor_config.json`, or a file nothing but weights, it is what the network's authors
//! published.

use serde_json::{Map, Value, json};

use crate::report::Note;

/// Mean and deviation of ImageNet's channels, of values from 0 to 1.
pub(crate) const IMAGENET: ([f32; 3], [f32; 3]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
/// Values from −1 to 1.
pub(crate) const HALF: ([f32; 3], [f32; 3]) = ([0.5; 3], [0.5; 3]);

/// Pillow's filters, whose place is their number in files.
const PROCESSOR_FILTERS: [&str; 6] = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];
/// The place of `bilinear`.
const BILINEAR: usize = 2;

/// From an image to what the network takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Preparation {
    /// Height and width.
    pub(crate) size: [usize; 2],
    /// The share of the shorter side that is cut from the centre; `None` where the ratio of sides is not kept.
    pub(crate) crop: Option<f32>,
    /// Of PyTorch's name: `bilinear`, `bicubic`, `nearest`.
    pub(crate) interpolation: String,
    /// Factor of stored values, 1/255 unless a file says otherwise.
    pub(crate) scale: f32,
    pub(crate) mean: Vec<f32>,
    pub(crate) std: Vec<f32>,
}

impl Preparation {
    /// Square images of `side`, bilinear, cut to `crop` of the shorter side, normalized as ImageNet.
    pub(crate) fn square(side: usize, crop: f32) -> Preparation {
        let (mean, std) = IMAGENET;
        Preparation {
            size: [side; 2],
            crop: Some(crop),
            interpolation: "bilinear".to_owned(),
            scale: 1.0 / 255.0,
            mean: mean.to_vec(),
            std: std.to_vec(),
        }
    }

    /// The same with bicubic interpolation.
    pub(crate) fn bicubic(self) -> Preparation {
        Preparation { interpolation: "bicubic".to_owned(), ..self }
    }

    /// The same with other means and deviations.
    pub(crate) fn normalized(self, (mean, std): ([f32; 3], [f32; 3])) -> Preparation {
        Preparation { mean: mean.to_vec(), std: std.to_vec(), ..self }
    }

    /// As the model's `retune` entry holds it.
    pub(crate) fn metadata(&self) -> Value {
        let [height, width] = self.size;
        let filter = if self.is_known() { self.interpolation.as_str() } else { "bilinear" };
        let fit = self.crop.map_or(json!("stretch"), |fraction| json!({"center-crop": {"fraction": fraction}}));
        let resize = json!({"height": height, "width": width, "filter": filter, "antialias": true, "fit": fit});
        json!({"preprocessing": {
            "color": "rgb",
            "resize": resize,
            "rescale": {"scale": self.scale, "offset": 0.0},
            "normalize": {"mean": self.mean, "std": self.std},
        }})
    }

    /// Whether images can be resized as the model's were.
    fn is_known(&self) -> bool {
        matches!(self.interpolation.as_str(), "nearest" | "bilinear" | "bicubic")
    }

    /// What is said of it to the user.
    pub(crate) fn notes(&self, notes: &mut Vec<Note>) {
        if !self.is_known() {
            let text = format!(
                "the model was trained on images resized by {} interpolation; they are resized by bilinear interpolation \
                 with antialiasing here",
                self.interpolation
            );
            notes.push(Note { layer: String::new(), text });
        }
    }

    /// What a model's `retune` entry says, if transformers and timm can be told so; what it leaves open is as in `self`.
    pub(crate) fn with_metadata(&self, metadata: &Value) -> Option<Preparation> {
        let preprocessing = metadata.get("preprocessing")?;
        let (resize, color) = (preprocessing.get("resize"), preprocessing.get("color").and_then(Value::as_str));
        let mut stored = Preparation { crop: None, scale: 1.0, mean: vec![0.0; 3], std: vec![1.0; 3], ..self.clone() };
        if let Some(resize) = resize {
            stored.size = sides(resize)?;
            stored.interpolation = resize.get("filter").and_then(Value::as_str).unwrap_or("bilinear").to_owned();
            let fit = resize.get("fit");
            stored.crop = fit.and_then(|fit| number(fit.get("center-crop")?.get("fraction")));
            if fit.is_some_and(|fit| fit.get("pad").is_some()) {
                return None;
            }
        }
        let mut offset = 0.0;
        if let Some(rescale) = preprocessing.get("rescale") {
            stored.scale = number(rescale.get("scale"))?;
            offset = rescale.get("offset").and_then(Value::as_f64).unwrap_or(0.0) as f32;
        }
        if let Some(normalize) = preprocessing.get("normalize") {
            (stored.mean, stored.std) = (numbers(normalize.get("mean")?)?, numbers(normalize.get("std")?)?);
        }
        stored.mean.iter_mut().for_each(|mean| *mean -= offset);
        (color.is_none_or(|color| color == "rgb")).then_some(stored)
    }

    /// As `preprocessor_config.json` of transformers.
    ///
    /// Its processors resize the shorter side and then cut; here the part is cut and then resized, which differs by fractions of a pixel.
    pub(crate) fn processor(&self) -> Value {
        let [height, width] = self.size;
        let resample = PROCESSOR_FILTERS.iter().position(|&name| name == self.interpolation).unwrap_or(BILINEAR);
        let mut config = json!({
            "do_resize": true,
            "resample": resample,
            "do_rescale": true,
            "rescale_factor": shortest(self.scale),
            "do_normalize": true,
            "image_mean": self.mean.iter().copied().map(shortest).collect::<Vec<_>>(),
            "image_std": self.std.iter().copied().map(shortest).collect::<Vec<_>>(),
        });
        match self.crop {
            None => {
                config["image_processor_type"] = json!("ViTImageProcessor");
                config["size"] = json!({"height": height, "width": width});
            }
            Some(share) => {
                config["image_processor_type"] = json!("BitImageProcessor");
                config["size"] = json!({"shortest_edge": (height.max(width) as f32 / share).round() as usize});
                config["do_center_crop"] = json!(true);
                config["crop_size"] = json!({"height": height, "width": width});
            }
        }
        config
    }

    /// As the `pretrained_cfg` of a folder of timm, whose values are always from 0 to 1 before they are normalized.
    pub(crate) fn describe_to_timm(&self, config: &mut Map<String, Value>) {
        let [height, width] = self.size;
        let scale = self.scale * 255.0;
        let divided = |values: &[f32]| values.iter().map(|value| shortest(value / scale)).collect::<Vec<_>>();
        let settings = json!({
            "input_size": [3, height, width],
            "interpolation": self.interpolation,
            "crop_pct": shortest(self.crop.unwrap_or(1.0)),
            "crop_mode": if self.crop.is_some() { "center" } else { "squash" },
            "mean": divided(&self.mean),
            "std": divided(&self.std),
        });
        config.extend(settings.as_object().cloned().unwrap_or_default());
    }

    /// With what `preprocessor_config.json` of transformers says.
    pub(crate) fn with_processor(mut self, config: &Value) -> Preparation {
        let is_on = |key: &str| config.get(key).and_then(Value::as_bool).unwrap_or(true);
        if is_on("do_resize") {
            self.resized(config);
        }
        if is_on("do_rescale") {
            self.scale = number(config.get("rescale_factor")).unwrap_or(1.0 / 255.0);
        } else {
            self.scale = 1.0;
        }
        let channels = |key: &str| config.get(key).and_then(numbers);
        if !is_on("do_normalize") {
            (self.mean, self.std) = (vec![0.0; 3], vec![1.0; 3]);
        } else if let (Some(mean), Some(std)) = (channels("image_mean"), channels("image_std")) {
            (self.mean, self.std) = (mean, std);
        }
        let filter = config.get("resample").and_then(Value::as_u64);
        if let Some(name) = filter.and_then(|index| PROCESSOR_FILTERS.get(index as usize)) {
            self.interpolation = (*name).to_owned();
        }
        self
    }

    fn resized(&mut self, config: &Value) {
        let Some(size) = config.get("size") else { return };
        let crop = config.get("crop_size").and_then(sides);
        let is_cropped = config.get("do_center_crop").and_then(Value::as_bool).unwrap_or(crop.is_some());
        match (size.get("shortest_edge").and_then(side), sides(size)) {
            (Some(edge), _) => {
                // ConvNeXt's processor cuts images below 384 by `crop_pct`, and only resizes larger ones.
                let share = number(config.get("crop_pct"));
                let target = crop.filter(|_| is_cropped).unwrap_or([edge; 2]);
                self.size = target;
                self.crop = match share {
                    Some(_) if edge >= 384 => None,
                    Some(share) => Some(share),
                    None => Some((target[0].max(target[1]) as f32 / edge as f32).min(1.0)),
                };
            }
            (None, Some(size)) => {
                let target = crop.filter(|_| is_cropped).unwrap_or(size);
                self.size = target;
                self.crop = (target != size).then(|| (target[0] as f32 / size[0] as f32).min(1.0));
            }
            (None, None) => {}
        }
    }

    /// With what the `pretrained_cfg` of a folder of timm says.
    pub(crate) fn with_timm(mut self, config: &Map<String, Value>) -> Preparation {
        if let Some([_, height, width]) = config.get("input_size").and_then(Value::as_array).map(Vec::as_slice)
            && let (Some(height), Some(width)) = (side(height), side(width))
        {
            self.size = [height, width];
        }
        let channels = |key: &str| config.get(key).and_then(numbers);
        if let (Some(mean), Some(std)) = (channels("mean"), channels("std")) {
            (self.mean, self.std) = (mean, std);
        }
        if let Some(share) = number(config.get("crop_pct")) {
            self.crop = (config.get("crop_mode").and_then(Value::as_str) != Some("squash")).then_some(share);
        }
        if let Some(name) = config.get("interpolation").and_then(Value::as_str) {
            self.interpolation = name.to_owned();
        }
        self
    }
}

/// The number with the fewest digits that is this one in 32 bits: 0.485, not 0.48500001430511475.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or_else(|_| f64::from(value))
}

fn number(value: Option<&Value>) -> Option<f32> {
    value.and_then(Value::as_f64).map(|number| number as f32).filter(|number| number.is_finite() && *number > 0.0)
}

fn side(value: &Value) -> Option<usize> {
    value.as_u64().filter(|side| (1..1 << 14).contains(side)).and_then(|side| usize::try_from(side).ok())
}

/// `{"height": …, "width": …}`, or one number for both.
fn sides(value: &Value) -> Option<[usize; 2]> {
    match (value.get("height"), value.get("width")) {
        (Some(height), Some(width)) => Some([side(height)?, side(width)?]),
        _ => side(value).map(|side| [side; 2]),
    }
}

/// A number for each colour.
fn numbers(value: &Value) -> Option<Vec<f32>> {
    let numbers: Option<Vec<f32>> = value.as_array()?.iter().map(|n| n.as_f64().map(|n| n as f32)).collect();
    numbers.filter(|numbers| numbers.len() == 3 && numbers.iter().all(|number| number.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_of_transformers_are_understood() {
        let usual = || Preparation::square(224, 0.875);
        let vit = json!({"size": {"height": 8, "width": 9}, "resample": 2, "image_mean": [0.5, 0.5, 0.5],
            "image_std": [0.5, 0.5, 0.5], "do_resize": true, "do_rescale": true, "rescale_factor": 0.25});
        let read = usual().with_processor(&vit);
        assert_eq!((read.size, read.crop, read.scale), ([8, 9], None, 0.25));
        assert_eq!((read.mean.as_slice(), read.interpolation.as_str()), (&[0.5f32; 3][..], "bilinear"));
        let convnext = json!({"size": {"shortest_edge": 288}, "crop_pct": 0.9, "resample": 3});
        let read = usual().with_processor(&convnext);
        assert_eq!((read.size, read.crop, read.interpolation.as_str()), ([288; 2], Some(0.9), "bicubic"));
        let large = json!({"size": {"shortest_edge": 384}, "crop_pct": 0.9});
        assert_eq!(usual().with_processor(&large).crop, None);
        let cropped =
            json!({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_normalize": false});
        let read = usual().with_processor(&cropped);
        assert_eq!((read.size, read.crop, read.std), ([224; 2], Some(0.875), vec![1.0; 3]));
    }

    #[test]
    fn what_is_written_is_what_is_read() {
        let usual = Preparation::square(224, 0.875);
        let stretched = Preparation { size: [160, 192], crop: None, scale: 1.0 / 127.5, ..usual.clone() }.bicubic();
        for preparation in [usual.clone().normalized(HALF), stretched] {
            let stored = usual.with_metadata(&preparation.metadata()).unwrap();
            assert_eq!(stored, preparation);
            let other = Preparation::square(7, 1.0);
            assert_eq!(other.clone().with_processor(&preparation.processor()), preparation);
            let mut settings = Map::new();
            preparation.describe_to_timm(&mut settings);
            let read = other.with_timm(&settings);
            assert_eq!((read.size, read.crop, &read.interpolation), (stored.size, stored.crop, &stored.interpolation));
            let value = |p: &Preparation| (200.0 * p.scale - p.mean[0]) / p.std[0];
            assert!((value(&read) - value(&stored)).abs() < 1e-5, "{settings:?}");
        }
        assert_eq!(usual.processor()["image_mean"].to_string(), "[0.485,0.456,0.406]");
    }

    #[test]
    fn an_offset_moves_the_mean_and_padding_is_not_told() {
        let usual = Preparation::square(224, 0.875);
        let symmetric = json!({"preprocessing": {"rescale": {"scale": 0.5, "offset": -1.0}}});
        let stored = usual.with_metadata(&symmetric).unwrap();
        assert_eq!((stored.scale, stored.mean[0], stored.crop, stored.size), (0.5, 1.0, None, [224; 2]));
        let padded = json!({"preprocessing": {"resize": {"height": 8, "width": 8, "fit": {"pad": {"value": 0.0}}}}});
        assert!(usual.with_metadata(&padded).is_none());
        assert!(usual.with_metadata(&json!({"preprocessing": {"color": "grayscale"}})).is_none());
    }

    #[test]
    fn settings_of_timm_are_understood() {
        let config = json!({"input_size": [3, 240, 256], "crop_pct": 0.9, "mean": [0.1, 0.2, 0.3], "std": [1, 1, 1],
            "interpolation": "bicubic", "crop_mode": "center"});
        let read = Preparation::square(224, 0.875).with_timm(config.as_object().unwrap());
        assert_eq!((read.size, read.crop, read.mean[2]), ([240, 256], Some(0.9), 0.3));
        let notes = |read: &Preparation| {
            let mut notes = Vec::new();
            read.notes(&mut notes);
            notes.len()
        };
        assert_eq!((notes(&read), &read.metadata()["preprocessing"]["resize"]["filter"]), (0, &json!("bicubic")));
        let other = Preparation { interpolation: "lanczos".to_owned(), ..read };
        assert_eq!((notes(&other), &other.metadata()["preprocessing"]["resize"]["filter"]), (1, &json!("bilinear")));
    }
}
