//! Random changes of images, which have no gradient.

use retune_graph::ops::ImageAugment;
use retune_graph::ops::image::{Augmentation, FillMode};
use retune_graph::ops::resize::Interpolation;

use super::build::{Case, case, input, rows};

/// Small turns, zooms and shifts.
fn affine(zoom_width: Option<(f32, f32)>, fill: FillMode, interpolation: Interpolation) -> Augmentation {
    Augmentation::Affine {
        rotation: (-0.2, 0.2),
        zoom_height: (-0.3, 0.2),
        zoom_width,
        shift_height: (-0.3, 0.3),
        shift_width: (-0.1, 0.4),
        fill,
        interpolation,
    }
}

/// Cases whose operations have no gradient.
pub fn cases() -> Vec<Case> {
    let mut changes = vec![
        Augmentation::Flip { horizontal: true, vertical: false },
        Augmentation::Flip { horizontal: false, vertical: true },
        Augmentation::Flip { horizontal: true, vertical: true },
        Augmentation::Contrast { factor: (0.5, 1.5), clip: (-1.0, 1.0) },
        Augmentation::Brightness { delta: (-0.5, 0.5), clip: (-1.5, 1.5) },
        Augmentation::Crop { size: [3, 2] },
        Augmentation::Crop { size: [5, 6] },
    ];
    for fill in [FillMode::Constant(0.5), FillMode::Reflect, FillMode::Wrap, FillMode::Nearest] {
        for interpolation in [Interpolation::Nearest, Interpolation::Bilinear] {
            for zoom_width in [None, Some((0.0, 0.5))] {
                changes.push(affine(zoom_width, fill, interpolation));
            }
        }
    }
    let mut cases: Vec<Case> = changes
        .into_iter()
        .map(|augmentation| {
            case(format!("{augmentation:?}"), move |g| {
                let x = input(g, "x", &[5, 6, 3]);
                g.push(ImageAugment { augmentation, stream: 5 }.into(), &[x])
            })
            .batch(5)
        })
        .collect();
    cases.push(case("frames of a film flattened into the batch", |g| {
        let x = rows(g, "x", 4, &[5, 6, 1]);
        let augmentation = Augmentation::Crop { size: [2, 3] };
        g.push(ImageAugment { augmentation, stream: 5 }.into(), &[x])
    }));
    cases
}
