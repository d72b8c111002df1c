//! A grey picture and its halves.

/// Pixels in rows without gaps.
pub(super) struct Plane<'a> {
    pub width: usize,
    pub height: usize,
    pixels: std::borrow::Cow<'a, [u8]>,
}

impl<'a> Plane<'a> {
    /// `None` where the size is not that of the pixels.
    pub fn new(width: usize, height: usize, pixels: &'a [u8]) -> Option<Plane<'a>> {
        (width > 0 && height > 0 && pixels.len() == width * height).then_some(Plane {
            width,
            height,
            pixels: pixels.into(),
        })
    }

    pub fn row(&self, y: usize) -> &[u8] {
        &self.pixels[y * self.width..][..self.width]
    }

    /// Returns the picture at half its size, each pixel the mean of four; at least one pixel. What
    /// is in `pixels` is written over.
    pub fn halved(&self, mut pixels: Vec<u8>) -> Plane<'static> {
        let (width, height) = ((self.width / 2).max(1), (self.height / 2).max(1));
        pixels.clear();
        pixels.reserve(width * height);
        for y in 0..height {
            let upper = self.row((2 * y).min(self.height - 1));
            let lower = self.row((2 * y + 1).min(self.height - 1));
            if self.width < 2 {
                pixels.push(upper[0]);
                continue;
            }
            pixels.extend(upper.chunks_exact(2).zip(lower.chunks_exact(2)).map(|(a, b)| {
                ((u16::from(a[0]) + u16::from(a[1]) + u16::from(b[0]) + u16::from(b[1]) + 2) / 4)
                    as u8
            }));
        }
        Plane { width, height, pixels: pixels.into() }
    }

    /// Returns the memory of the pixels, where it is the plane's own.
    pub fn into_pixels(self) -> Vec<u8> {
        match self.pixels {
            std::borrow::Cow::Owned(pixels) => pixels,
            std::borrow::Cow::Borrowed(_) => Vec::new(),
        }
    }

    /// Level between four pixels; beyond the edges that of the nearest.
    pub fn at(&self, x: f32, y: f32) -> f32 {
        let x = x.clamp(0.0, (self.width - 1) as f32);
        let y = y.clamp(0.0, (self.height - 1) as f32);
        let (i, j) = (x as usize, y as usize);
        let (a, b) = (x - i as f32, y - j as f32);
        let right = usize::from(i + 1 < self.width);
        let down = if j + 1 < self.height { self.width } else { 0 };
        let at = j * self.width + i;
        let pixel = |at: usize| f32::from(self.pixels[at]);
        let upper = pixel(at) * (1.0 - a) + pixel(at + right) * a;
        let lower = pixel(at + down) * (1.0 - a) + pixel(at + down + right) * a;
        upper * (1.0 - b) + lower * b
    }
}
