//! A line as text: dots of Braille characters, two by four in each.

/// Bits of a character's dots, by row and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Lines of `width` by `height` characters with a curve through the points, the highest and the lowest value before the first and the
/// last line; `None` without finite values. Of points in one column the mean is drawn.
pub fn curve(points: &[(f64, f64)], width: usize, height: usize) -> Option<Vec<String>> {
    let points: Vec<(f64, f64)> = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect();
    let (first, last) = (points.first()?.0, points.last()?.0);
    let low = points.iter().map(|point| point.1).fold(f64::INFINITY, f64::min);
    let high = points.iter().map(|point| point.1).fold(f64::NEG_INFINITY, f64::max);
    let (columns, rows) = (2 * width, 4 * height);
    let share = |value: f64, low: f64, high: f64| if high > low { (value - low) / (high - low) } else { 0.5 };
    let mut sums = vec![(0.0, 0u32); columns];
    for &(x, y) in &points {
        let column = (share(x, first, last) * (columns - 1) as f64).round() as usize;
        sums[column].0 += y;
        sums[column].1 += 1;
    }
    let row = |value: f64| ((1.0 - share(value, low, high)) * (rows - 1) as f64).round() as usize;
    let mut cells = vec![vec![0u8; width]; height];
    let mut before: Option<(usize, f64)> = None;
    let mut last_row: Option<usize> = None;
    for (column, &(sum, count)) in sums.iter().enumerate() {
        if count == 0 {
            continue;
        }
        let value = sum / f64::from(count);
        let (start, from) = before.unwrap_or((column, value));
        // The line from the last column that has a value.
        for at in start..=column {
            let part = if column > start { (at - start) as f64 / (column - start) as f64 } else { 1.0 };
            let place = row(from + part * (value - from));
            // Where the line is steep, the rows between are its too.
            let steep = match last_row {
                Some(last) if last < place => last + 1..place + 1,
                Some(last) if place < last => place..last,
                _ => place..place + 1,
            };
            for row in steep {
                cells[row / 4][at / 2] |= DOTS[row % 4][at % 2];
            }
            last_row = Some(place);
        }
        before = Some((column, value));
    }
    let labels = [format!("{high:.4}"), format!("{low:.4}")];
    let room = labels.iter().map(String::len).max().unwrap_or(0);
    let line = |(place, cells): (usize, &Vec<u8>)| {
        let label = match place {
            0 => labels[0].as_str(),
            _ if place + 1 == height => labels[1].as_str(),
            _ => "",
        };
        let dots: String = cells.iter().filter_map(|&bits| char::from_u32(0x2800 + u32::from(bits))).collect();
        format!("{label:>room$} {dots}")
    };
    Some(cells.iter().enumerate().map(line).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_line_falls_from_corner_to_corner() {
        let points: Vec<(f64, f64)> = (0..8).map(|i| (f64::from(i), 7.0 - f64::from(i))).collect();
        let lines = curve(&points, 4, 2).unwrap();
        assert_eq!(lines, ["7.0000 ⠑⢄⠀⠀", "0.0000 ⠀⠀⠑⢄"]);
    }

    #[test]
    fn a_steep_line_has_no_holes() {
        let lines = curve(&[(0.0, 0.0), (1.0, 1.0), (3.0, 1.0)], 2, 1).unwrap();
        assert_eq!(lines, ["1.0000 ⡸⠉"]);
    }

    #[test]
    fn gaps_are_bridged_and_what_is_not_finite_is_left_out() {
        let lines = curve(&[(0.0, 1.0), (1.0, f64::NAN), (7.0, 1.0)], 4, 1).unwrap();
        assert_eq!(lines, ["1.0000 ⠤⠤⠤⠤"]);
        assert_eq!(curve(&[], 4, 1), None);
        assert_eq!(curve(&[(0.0, f64::INFINITY)], 4, 1), None);
    }
}
