//! Pictures that are sampled between their pixels, and the planes seen in them.

/// A place in a picture, in pixels: the centre of the first pixel is (0, 0).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub(super) x: f32,
    pub(super) y: f32,
}

impl Point {
    pub(super) fn new(x: f32, y: f32) -> Point {
        Point { x, y }
    }

    pub(super) fn minus(self, other: Point) -> Point {
        Point::new(self.x - other.x, self.y - other.y)
    }

    pub(super) fn plus(self, other: Point, times: f32) -> Point {
        Point::new(self.x + other.x * times, self.y + other.y * times)
    }

    pub(super) fn cross(self, other: Point) -> f32 {
        self.x * other.y - self.y * other.x
    }

    pub(super) fn dot(self, other: Point) -> f32 {
        self.x * other.x + self.y * other.y
    }

    pub(super) fn length(self) -> f32 {
        self.dot(self).sqrt()
    }
}

/// Grey levels, rows without gaps.
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    pub(super) width: usize,
    pub(super) height: usize,
    /// `width * height` levels.
    pub(super) luma: &'a [u8],
}

impl Picture<'_> {
    /// The level at a place by the four pixels around it; those of the rim go on outside.
    pub(super) fn linear(&self, at: Point) -> f32 {
        let x = at.x.clamp(0.0, (self.width - 1) as f32);
        let y = at.y.clamp(0.0, (self.height - 1) as f32);
        let (left, top) = (x as usize, y as usize);
        let (fx, fy) = (x - left as f32, y - top as f32);
        let (right, below) = ((left + 1).min(self.width - 1), (top + 1).min(self.height - 1));
        let level = |x: usize, y: usize| f32::from(self.luma[y * self.width + x]);
        let upper = level(left, top) + (level(right, top) - level(left, top)) * fx;
        let lower = level(left, below) + (level(right, below) - level(left, below)) * fx;
        upper + (lower - upper) * fy
    }

    /// The level at a place by the sixteen pixels around it (Catmull-Rom).
    pub(super) fn cubic(&self, at: Point) -> f32 {
        // Written so that no number at all is outside, too.
        let inside = at.x >= 1.0 && at.y >= 1.0;
        let (left, top) = (at.x as usize, at.y as usize);
        if !inside || left + 2 >= self.width || top + 2 >= self.height {
            return self.linear(at);
        }
        let (across, down) = (catmull_rom(at.x - left as f32), catmull_rom(at.y - top as f32));
        let start = (top - 1) * self.width + left - 1;
        let mut level = 0.0;
        for (row, weight) in down.iter().enumerate() {
            let Some(pixels) = self.luma[start + row * self.width..].first_chunk::<4>() else {
                return self.linear(at);
            };
            let sum: f32 = pixels.iter().zip(&across).map(|(l, w)| f32::from(*l) * w).sum();
            level += sum * weight;
        }
        level
    }

    pub(super) fn holds(&self, at: Point) -> bool {
        at.x >= 0.0
            && at.y >= 0.0
            && at.x <= (self.width - 1) as f32
            && at.y <= (self.height - 1) as f32
    }
}

fn catmull_rom(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [
        -0.5 * t + t2 - 0.5 * t3,
        1.0 - 2.5 * t2 + 1.5 * t3,
        0.5 * t + 2.0 * t2 - 1.5 * t3,
        -0.5 * t2 + 0.5 * t3,
    ]
}

/// Maps the plane of a code, in modules, into the picture.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Homography(pub(super) [f64; 9]);

impl Homography {
    /// Returns the one that maps four points of the plane to four of the picture.
    pub(super) fn of(plane: [Point; 4], picture: [Point; 4]) -> Option<Homography> {
        Homography::fitted(&std::array::from_fn::<_, 4, _>(|i| (plane[i], picture[i], 1.0)))
    }

    /// Returns the one that maps points of the plane closest to those of the picture, weighted.
    pub(super) fn fitted(pairs: &[(Point, Point, f32)]) -> Option<Homography> {
        if pairs.len() < 4 {
            return None;
        }
        // Coordinates of about 1 keep the equations well conditioned.
        let scale = pairs.iter().fold(1.0_f64, |m, (p, _, _)| m.max(f64::from(p.x.max(p.y))));
        let offset = pairs[0].1;
        let size =
            pairs.iter().fold(1.0_f64, |m, (_, q, _)| m.max(f64::from(q.minus(offset).length())));
        let mut system = System::<8>::default();
        for (p, q, weight) in pairs {
            let (u, v) = (f64::from(p.x) / scale, f64::from(p.y) / scale);
            let q = q.minus(offset);
            let (x, y) = (f64::from(q.x) / size, f64::from(q.y) / size);
            let weight = f64::from(*weight);
            system.add(&[u, v, 1.0, 0.0, 0.0, 0.0, -u * x, -v * x], x, weight);
            system.add(&[0.0, 0.0, 0.0, u, v, 1.0, -u * y, -v * y], y, weight);
        }
        let h = system.solve(1e-10)?;
        let (ox, oy) = (f64::from(offset.x), f64::from(offset.y));
        let (g, k) = (h[6] / scale, h[7] / scale);
        Some(Homography([
            h[0] * size / scale + ox * g,
            h[1] * size / scale + ox * k,
            h[2] * size + ox,
            h[3] * size / scale + oy * g,
            h[4] * size / scale + oy * k,
            h[5] * size + oy,
            g,
            k,
            1.0,
        ]))
    }

    pub(super) fn map(&self, at: Point) -> Point {
        let h = &self.0;
        let (u, v) = (f64::from(at.x), f64::from(at.y));
        let w = h[6] * u + h[7] * v + h[8];
        let w = if w.abs() < 1e-9 { 1e-9 } else { w };
        Point::new(
            ((h[0] * u + h[1] * v + h[2]) / w) as f32,
            ((h[3] * u + h[4] * v + h[5]) / w) as f32,
        )
    }

    /// Returns the map that first changes the plane by `1 + change`.
    pub(super) fn after(&self, change: &[f64; 8]) -> Homography {
        let c = change;
        let d = [1.0 + c[0], c[1], c[2], c[3], 1.0 + c[4], c[5], c[6], c[7], 1.0];
        let mut product = [0.0; 9];
        for (i, value) in product.iter_mut().enumerate() {
            *value = (0..3).map(|k| self.0[i / 3 * 3 + k] * d[k * 3 + i % 3]).sum();
        }
        Homography(product)
    }

    /// Pixels along each side of a module at a place.
    pub(super) fn axes(&self, at: Point) -> (Point, Point) {
        let here = self.map(at);
        let right = self.map(Point::new(at.x + 1.0, at.y));
        let below = self.map(Point::new(at.x, at.y + 1.0));
        (right.minus(here), below.minus(here))
    }
}

/// Linear equations in `N` unknowns, solved for the least squares.
pub(super) struct System<const N: usize> {
    matrix: [[f64; N]; N],
    right: [f64; N],
}

impl<const N: usize> Default for System<N> {
    fn default() -> System<N> {
        System { matrix: [[0.0; N]; N], right: [0.0; N] }
    }
}

impl<const N: usize> System<N> {
    pub(super) fn add(&mut self, row: &[f64; N], value: f64, weight: f64) {
        for i in 0..N {
            let factor = row[i] * weight;
            for (sum, other) in self.matrix[i].iter_mut().zip(&row[..=i]) {
                *sum += factor * other;
            }
            self.right[i] += factor * value;
        }
    }

    /// Solves with `ridge` added to the diagonal, in parts of its mean (Cholesky).
    pub(super) fn solve(mut self, ridge: f64) -> Option<[f64; N]> {
        let mean = (0..N).map(|i| self.matrix[i][i]).sum::<f64>() / N as f64;
        for i in 0..N {
            self.matrix[i][i] += mean * ridge;
        }
        let m = &mut self.matrix;
        for i in 0..N {
            for j in 0..=i {
                let sum = m[i][j] - (0..j).map(|k| m[i][k] * m[j][k]).sum::<f64>();
                if i == j {
                    if sum <= 0.0 || !sum.is_finite() {
                        return None;
                    }
                    m[i][i] = sum.sqrt();
                } else {
                    m[i][j] = sum / m[j][j];
                }
            }
        }
        let mut x = self.right;
        for i in 0..N {
            x[i] = (x[i] - (0..i).map(|k| m[i][k] * x[k]).sum::<f64>()) / m[i][i];
        }
        for i in (0..N).rev() {
            x[i] = (x[i] - (i + 1..N).map(|k| m[k][i] * x[k]).sum::<f64>()) / m[i][i];
        }
        Some(x)
    }
}
