//! Images far smaller than the rest, or of strange proportions.

use super::lengths::quantile;
use super::{Example, Finding, Kind, Remedy, Severity, grouped, noun, verb};
use crate::collection::{Collection, Item};
use crate::facts::{Facts, ImageFacts};
use crate::language::Said;

/// A shorter side below this share of the middle one is too small.
const SMALL: f32 = 0.25;
/// Longer over shorter side, beyond which an image is a strip, if also twice the middle one.
const STRIP: f32 = 4.0;

/// The finding.
pub fn find(collection: &Collection, facts: &Facts, examples: usize) -> Option<Finding> {
    let images: Vec<(Item, ImageFacts)> =
        facts.images.iter().enumerate().filter_map(|(item, image)| Some((item as Item, (*image)?))).collect();
    if images.is_empty() {
        return None;
    }
    let side = |image: &ImageFacts| image.width.min(image.height);
    let ratio = |image: &ImageFacts| image.width.max(image.height) as f32 / side(image) as f32;
    let mut sides: Vec<u32> = images.iter().map(|(_, image)| side(image)).collect();
    sides.sort_unstable();
    let mut ratios: Vec<f32> = images.iter().map(|(_, image)| ratio(image)).collect();
    ratios.sort_unstable_by(f32::total_cmp);
    let (middle, usual) = (quantile(&sides, 0.5), quantile(&ratios, 0.5));
    let is_small = |image: &ImageFacts| (side(image) as f32) < SMALL * middle as f32;
    let is_strip = |image: &ImageFacts| ratio(image) > STRIP.max(2.0 * usual);
    let mut odd: Vec<&(Item, ImageFacts)> =
        images.iter().filter(|(_, image)| is_small(image) || is_strip(image)).collect();
    if odd.is_empty() {
        return None;
    }
    odd.sort_by_key(|(item, image)| (side(image), *item));
    let (least, most) = (sides[0], sides[sides.len() - 1]);
    let small = odd.iter().filter(|(_, image)| is_small(image)).count();
    Some(Finding {
        kind: Kind::Sizes,
        severity: Severity::Note,
        title: Said::new(
            format!(
                "{} {} far smaller than the rest, or {}.",
                noun(collection).counted(odd.len()).english(),
                verb(odd.len(), "is", "are"),
                verb(odd.len(), "a strip", "strips")
            ),
            format!("{}远小于其余，或过于狭长。", noun(collection).chinese(odd.len())),
        ),
        why: Said::new(
            "Enlarged to the size of the others they are blurred, and strips lose most of what they show.",
            "放大到其他图像的尺寸后会变得模糊，狭长的图像则会失去大部分内容。",
        ),
        count: odd.len(),
        details: vec![
            Said::new(
                format!("{} small, {} strips.", grouped(small), grouped(odd.len() - small)),
                format!("{} 张过小，{} 张过于狭长。", grouped(small), grouped(odd.len() - small)),
            ),
            Said::new(
                format!("The shorter side is {middle} pixels in the middle, from {least} to {most}."),
                format!("短边的中位数为 {middle} 像素，范围为 {least} 至 {most}。"),
            ),
        ],
        examples: odd
            .iter()
            .take(examples)
            .map(|(item, ImageFacts { width, height, .. })| {
                let note = Said::new(format!("{width}×{height} pixels"), format!("{width}×{height} 像素"));
                Example::new(collection, &[*item], note)
            })
            .collect(),
        remedy: Remedy::Advice(Said::new(
            "Look at them: previews and icons often end up among photos.",
            "请查看它们：缩略图和图标常常混入照片之中。",
        )),
    })
}
