//! Resizing and random changes of images.

use retune_graph::ops::image::{Augmentation, FillMode};
use retune_graph::ops::resize::Interpolation;
use retune_graph::ops::{ImageAugment, Resize, ResizeGrad};

use crate::case::{Case, check_all, normal};

const INTERPOLATIONS: [Interpolation; 2] = [Interpolation::Nearest, Interpolation::Bilinear];

const FILLS: [FillMode; 4] = [FillMode::Constant(0.7), FillMode::Reflect, FillMode::Wrap, FillMode::Nearest];

fn resizes() -> Vec<Case> {
    let mut cases = Vec::new();
    let sizes: [([usize; 4], [usize; 2]); 6] = [
        ([2, 5, 7, 3], [10, 14]),
        ([1, 8, 6, 16], [4, 3]),
        ([3, 4, 4, 1], [7, 5]),
        ([1, 1, 1, 2], [3, 3]),
        ([2, 9, 9, 20], [1, 1]),
        ([1, 30, 31, 33], [47, 20]),
    ];
    for (shape, size) in sizes {
        for interpolation in INTERPOLATIONS {
            cases.push(Case::new(Resize { size, interpolation }, [normal(1, &shape)]));
            let dy = normal(2, &[shape[0], size[0], size[1], shape[3]]);
            let op = ResizeGrad { input_size: [shape[1], shape[2]], interpolation };
            cases.push(Case::new(op, [dy]).with_tolerance(1e-5, 1e-5));
        }
    }
    cases
}

fn augmentations() -> Vec<Augmentation> {
    let all = (f32::NEG_INFINITY, f32::INFINITY);
    let mut augmentations = vec![
        Augmentation::Contrast { factor: (0.5, 1.5), clip: all },
        Augmentation::Contrast { factor: (0.2, 3.0), clip: (-0.5, 1.0) },
        Augmentation::Brightness { delta: (-0.3, 0.4), clip: (-1.0, 1.0) },
        Augmentation::Crop { size: [3, 2] },
        Augmentation::Crop { size: [6, 9] },
    ];
    for (horizontal, vertical) in [(true, false), (false, true), (true, true)] {
        augmentations.push(Augmentation::Flip { horizontal, vertical });
    }
    for fill in FILLS {
        for interpolation in INTERPOLATIONS {
            augmentations.push(Augmentation::Affine {
                rotation: (-0.2, 0.3),
                zoom_height: (-0.3, 0.5),
                zoom_width: (interpolation == Interpolation::Nearest).then_some((-0.2, 0.9)),
                shift_height: (-0.4, 1.4),
                shift_width: (-2.3, 0.1),
                fill,
                interpolation,
            });
        }
    }
    augmentations
}

pub fn cases() -> Vec<Case> {
    let mut cases = resizes();
    for augmentation in augmentations() {
        for (images, batch) in [(5, 5), (6, 2)] {
            let op = ImageAugment { augmentation, stream: 3 };
            cases.push(Case::new(op, [normal(4, &[images, 6, 9, 3])]).with_batch(batch).with_tolerance(1e-5, 2e-6));
        }
    }
    cases
}

#[test]
fn agree_with_the_interpreter() {
    check_all(&cases());
}
