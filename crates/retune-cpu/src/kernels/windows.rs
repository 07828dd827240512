//! Sliding windows along one axis: which taps of a window lie inside of the image.

use retune_graph::ops::ConvGeometry;

/// The windows of a convolution or pooling along one axis.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Windows {
    stride: usize,
    dilation: usize,
    before: usize,
    kernel: usize,
    /// Pixels of the image.
    input: usize,
    /// Number of windows.
    output: usize,
    /// Distance of the taps that see one pixel, and of their windows.
    tap_step: usize,
    window_step: usize,
}

/// Pairs of a tap and a pixel that belong together: tap `tap + i · tap_step` and pixel `pixel + i · pixel_step`, for `i` below
/// `count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taps {
    pub tap: usize,
    pub tap_step: usize,
    pub pixel: usize,
    pub pixel_step: isize,
    pub count: usize,
}

impl Windows {
    /// The windows of `kernel` taps along `axis` of an image with `input` pixels there, `output` windows in number.
    pub fn new(geometry: &ConvGeometry, axis: usize, kernel: usize, input: usize, output: usize) -> Windows {
        let (stride, dilation) = (geometry.strides[axis], geometry.dilation[axis]);
        let tap_step = stride / greatest_common_divisor(stride, dilation);
        let window_step = tap_step * dilation / stride;
        let before = geometry.padding[axis].0;
        Windows { stride, dilation, before, kernel, input, output, tap_step, window_step }
    }

    /// Distance of neighbouring windows.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Whether windows move by one pixel, and their taps see neighbouring ones.
    pub fn are_dense(&self) -> bool {
        self.stride == 1 && self.dilation == 1
    }

    /// The taps of window `place` inside of the image, with the image's pixels that they see.
    #[inline]
    pub fn taps(&self, place: usize) -> Taps {
        let start = place * self.stride;
        let tap = self.before.saturating_sub(start).div_ceil(self.dilation);
        let pixel = (start + tap * self.dilation).saturating_sub(self.before);
        let inside = self.input.saturating_sub(pixel).div_ceil(self.dilation);
        let count = inside.min(self.kernel.saturating_sub(tap));
        Taps { tap, tap_step: 1, pixel, pixel_step: self.dilation as isize, count }
    }

    /// The windows whose tap `tap` lies inside of the image: the first, the pixel that it sees there, and how many there are.
    pub fn inside(&self, tap: usize) -> (usize, usize, usize) {
        let offset = tap * self.dilation;
        let first = self.before.saturating_sub(offset).div_ceil(self.stride);
        let pixel = (first * self.stride + offset).saturating_sub(self.before);
        let inside = self.input.saturating_sub(pixel).div_ceil(self.stride);
        (first, pixel, inside.min(self.output.saturating_sub(first)))
    }

    /// The taps that see pixel `place` of the image, with the windows (pixels of the output) that they belong to.
    #[inline]
    pub fn seen_by(&self, place: usize) -> Taps {
        // Tap t of window w sees pixel w · stride + t · dilation − before.
        let at = place + self.before;
        let none = Taps { tap: 0, tap_step: 1, pixel: 0, pixel_step: 0, count: 0 };
        let Windows { tap_step, window_step, .. } = *self;
        // The first tap whose window exists: windows come down from `at / stride` as taps go up.
        let lowest = at.saturating_sub((self.output.max(1) - 1) * self.stride).div_ceil(self.dilation);
        let highest = (at / self.dilation).min(self.kernel - 1);
        let Some(tap) =
            (lowest..=highest).take(tap_step).find(|tap| (at - tap * self.dilation).is_multiple_of(self.stride))
        else {
            return none;
        };
        let pixel = (at - tap * self.dilation) / self.stride;
        Taps { tap, tap_step, pixel, pixel_step: -(window_step as isize), count: (highest - tap) / tap_step + 1 }
    }
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(taps: Taps) -> Vec<(usize, usize)> {
        let pixel = |i: usize| taps.pixel as isize + i as isize * taps.pixel_step;
        (0..taps.count).map(|i| (taps.tap + i * taps.tap_step, pixel(i) as usize)).collect()
    }

    #[test]
    fn taps_are_those_inside_of_the_image() {
        let mut seen = 0;
        for (stride, dilation, before, behind, kernel, input) in [
            (1, 1, 1, 1, 3, 5),
            (2, 1, 0, 1, 2, 5),
            (2, 3, 4, 4, 3, 7),
            (3, 2, 5, 6, 4, 2),
            (1, 1, 0, 0, 1, 1),
            (4, 6, 3, 9, 5, 31),
            (3, 1, 0, 0, 2, 10),
            (6, 4, 2, 0, 4, 29),
        ] {
            let output = (input + before + behind - (kernel - 1) * dilation - 1) / stride + 1;
            let geometry =
                ConvGeometry { strides: [stride; 2], padding: [(before, behind); 2], dilation: [dilation; 2] };
            let windows = Windows::new(&geometry, 0, kernel, input, output);
            let pixel = |window: usize, tap: usize| {
                (window * stride + tap * dilation).checked_sub(before).filter(|&pixel| pixel < input)
            };
            for window in 0..output {
                let inside: Vec<_> = (0..kernel).filter_map(|tap| Some((tap, pixel(window, tap)?))).collect();
                assert_eq!(pairs(windows.taps(window)), inside, "{windows:?}, window {window}");
            }
            for tap in 0..kernel {
                let (first, start, count) = windows.inside(tap);
                let found: Vec<_> = (0..count).map(|i| (first + i, start + i * stride)).collect();
                let inside: Vec<_> = (0..output).filter_map(|window| Some((window, pixel(window, tap)?))).collect();
                assert_eq!(found, inside, "{windows:?}, tap {tap}");
            }
            for place in 0..input {
                let sees = |tap| (0..output).find(|&window| pixel(window, tap) == Some(place));
                let by: Vec<_> = (0..kernel).filter_map(|tap| Some((tap, sees(tap)?))).collect();
                assert_eq!(pairs(windows.seen_by(place)), by, "{windows:?}, pixel {place}");
                seen += by.len();
            }
        }
        assert!(seen > 50);
    }
}
