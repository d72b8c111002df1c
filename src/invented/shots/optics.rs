//! What lens, sensor and encoder do to a picture, in the order in which they do it.

use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageFormat};

use super::dice::Dice;

/// Blurs as a lens out of focus does, by a Gaussian of this deviation in pixels.
///
/// In two passes, four deviations far; the edge's pixels are repeated beyond it.
pub(super) fn defocus(picture: &mut [f32], width: usize, deviation: f32) {
    if deviation <= 0.0 || width == 0 {
        return;
    }
    let reach = (deviation * 4.0).ceil() as usize;
    let bell = |at: usize| (-((at as f32 / deviation).powi(2)) / 2.0).exp();
    let sum = bell(0) + 2.0 * (1..=reach).map(bell).sum::<f32>();
    let weights: Vec<f32> = (0..=reach).map(|at| bell(at) / sum).collect();

    // Across.
    let mut padded = vec![0.0; width + 2 * reach];
    for row in picture.chunks_exact_mut(width) {
        padded[reach..reach + width].copy_from_slice(row);
        padded[..reach].fill(row[0]);
        padded[reach + width..].fill(row[width - 1]);
        for (x, pixel) in row.iter_mut().enumerate() {
            *pixel = padded[x + reach] * weights[0];
        }
        for (at, weight) in weights.iter().enumerate().skip(1) {
            let (before, after) = (&padded[reach - at..], &padded[reach + at..]);
            for ((pixel, one), other) in row.iter_mut().zip(before).zip(after) {
                *pixel += weight * (one + other);
            }
        }
    }
    // Down: whole rows are added, which is quick.
    let source = picture.to_vec();
    let height = source.len() / width;
    let row_of = |y: isize| {
        let y = y.clamp(0, height as isize - 1) as usize;
        &source[y * width..(y + 1) * width]
    };
    for (y, row) in picture.chunks_exact_mut(width).enumerate() {
        let y = y as isize;
        for (pixel, own) in row.iter_mut().zip(row_of(y)) {
            *pixel = own * weights[0];
        }
        for (at, weight) in weights.iter().enumerate().skip(1) {
            let at = at as isize;
            let pairs = row_of(y - at).iter().zip(row_of(y + at));
            for (pixel, (one, other)) in row.iter_mut().zip(pairs) {
                *pixel += weight * (one + other);
            }
        }
    }
}

/// Blurs as a straight move during the exposure does; `way` is the move in pixels.
pub(super) fn motion(picture: &mut [f32], width: usize, way: [f32; 2]) {
    const STEPS: usize = 41;
    let length = way[0].hypot(way[1]);
    if length <= 0.0 || width == 0 {
        return;
    }
    let reach = (length / 2.0).ceil() as isize + 1;
    let side = (2 * reach + 1) as usize;
    let mut weights = vec![0.0_f32; side * side];
    for step in 0..STEPS {
        let part = step as f32 / (STEPS - 1) as f32 - 0.5;
        let (x, y) = (way[0] * part + reach as f32, way[1] * part + reach as f32);
        let (column, row) = (x.floor(), y.floor());
        for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
            let share =
                (1.0 - (x - column - dx as f32).abs()) * (1.0 - (y - row - dy as f32).abs());
            let at = (row as usize + dy) * side + column as usize + dx;
            if let Some(weight) = weights.get_mut(at) {
                *weight += share / STEPS as f32;
            }
        }
    }

    let margin = reach as usize;
    let height = picture.len() / width;
    let wide = width + 2 * margin;
    let mut padded = vec![0.0; wide * (height + 2 * margin)];
    for (y, line) in padded.chunks_exact_mut(wide).enumerate() {
        let from = y.saturating_sub(margin).min(height - 1) * width;
        let row = &picture[from..from + width];
        line[..margin].fill(row[0]);
        line[margin..margin + width].copy_from_slice(row);
        line[margin + width..].fill(row[width - 1]);
    }
    for (y, row) in picture.chunks_exact_mut(width).enumerate() {
        row.fill(0.0);
        for (at, weight) in weights.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            let from = (y + at / side) * wide + at % side;
            for (pixel, other) in row.iter_mut().zip(&padded[from..]) {
                *pixel += weight * other;
            }
        }
    }
}

/// Adds noise: half of it the reader's, half of it the light's own, which grows with its root.
///
/// `deviation` is that at middle grey. What the sensor cannot hold is cut before.
pub(super) fn noise(picture: &mut [f32], width: usize, deviation: f32, dice: &mut Dice) {
    let mut row_noise = vec![0.0; width];
    for row in picture.chunks_mut(width.max(1)) {
        dice.normals(&mut row_noise);
        for (pixel, noise) in row.iter_mut().zip(&row_noise) {
            let grey = pixel.clamp(0.0, 255.0);
            *pixel = grey + noise * deviation * (0.5 + 0.5 * (grey / 128.0).sqrt());
        }
    }
}

/// Takes noise off and sharpens, as phones and webcams do.
pub(super) fn sharpen(picture: &mut [f32], width: usize, amount: f32) {
    defocus(picture, width, 0.6);
    let mut soft = picture.to_vec();
    defocus(&mut soft, width, 1.5);
    for (pixel, soft) in picture.iter_mut().zip(&soft) {
        *pixel += amount * (*pixel - soft);
    }
}

/// Returns the picture in 8 bits, as they come out of a JPEG of this quality.
///
/// `None` where a size is too large for a JPEG, which the frames of a camera are not.
pub(super) fn through_jpeg(picture: &[f32], width: usize, quality: u8) -> Option<Vec<u8>> {
    let bytes: Vec<u8> = picture.iter().map(|grey| grey.clamp(0.0, 255.0) as u8).collect();
    let (columns, rows) = (u32::try_from(width).ok()?, u32::try_from(bytes.len() / width).ok()?);
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode(&bytes, columns, rows, ExtendedColorType::L8)
        .ok()?;
    let picture = image::load_from_memory_with_format(&file, ImageFormat::Jpeg).ok()?;
    Some(picture.into_luma8().into_raw())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invented::random::Stream;

    fn a_dot() -> Vec<f32> {
        let mut picture = vec![0.0; 41 * 41];
        picture[20 * 41 + 20] = 1_000.0;
        picture
    }

    /// Sum, and deviations across and down, of what a dot became.
    fn moments(picture: &[f32]) -> (f32, f32, f32) {
        let (mut sum, mut across, mut down) = (0.0, 0.0, 0.0);
        for (at, grey) in picture.iter().enumerate() {
            let (x, y) = ((at % 41) as f32 - 20.0, (at / 41) as f32 - 20.0);
            sum += grey;
            across += grey * x * x;
            down += grey * y * y;
        }
        (sum, (across / sum).sqrt(), (down / sum).sqrt())
    }

    #[test]
    fn defocus_keeps_the_light_and_has_its_deviation() {
        let mut picture = a_dot();
        defocus(&mut picture, 41, 1.7);
        let (sum, across, down) = moments(&picture);
        assert!((sum - 1_000.0).abs() < 1.0, "{sum}");
        assert!((across - 1.7).abs() < 0.05 && (down - 1.7).abs() < 0.05, "{across} {down}");
    }

    #[test]
    fn motion_keeps_the_light_and_has_its_direction() {
        let mut picture = a_dot();
        motion(&mut picture, 41, [6.0, 0.0]);
        let (sum, across, down) = moments(&picture);
        assert!((sum - 1_000.0).abs() < 1.0, "{sum}");
        // A stretch of length l has a deviation of l / √12.
        assert!((across - 1.8).abs() < 0.15 && down < 0.01, "{across} {down}");
    }

    #[test]
    fn even_grey_stays_even_up_to_the_edges() {
        let mut picture = vec![100.0; 41 * 41];
        defocus(&mut picture, 41, 2.0);
        motion(&mut picture, 41, [3.0, -2.0]);
        sharpen(&mut picture, 41, 0.8);
        assert!(picture.iter().all(|grey| (grey - 100.0).abs() < 0.01));
    }

    #[test]
    fn noise_grows_with_the_light() {
        let deviation_at = |grey: f32| {
            let mut picture = vec![grey; 41 * 41];
            noise(&mut picture, 41, 4.0, &mut Dice::new(1, Stream::Shot, 0));
            let squares = picture.iter().map(|pixel| (pixel - grey).powi(2)).sum::<f32>();
            (squares / (41.0 * 41.0)).sqrt()
        };
        assert!((deviation_at(0.0) - 2.0).abs() < 0.2, "{}", deviation_at(0.0));
        assert!((deviation_at(128.0) - 4.0).abs() < 0.3, "{}", deviation_at(128.0));
    }

    #[test]
    fn a_jpeg_of_lower_quality_keeps_less() {
        let picture: Vec<f32> = (0..64 * 64).map(|at| ((at * 37) % 251) as f32).collect();
        let lost = |quality| -> f32 {
            let decoded = through_jpeg(&picture, 64, quality).expect("a small picture");
            decoded.iter().zip(&picture).map(|(one, other)| (f32::from(*one) - other).abs()).sum()
        };
        assert!(lost(40) > lost(95));
    }
}
