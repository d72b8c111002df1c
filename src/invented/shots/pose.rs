//! How a flat card lies before the camera: turned, tilted, near or far.

/// A point of the picture or of a face.
pub(super) type Point = [f32; 2];

/// Distance of the picture from the eye, pixels. Chosen: a field of 60° over 1280 pixels, as
/// phones have it.
pub(super) const FOCAL: f32 = 1_100.0;

/// Where a face is seen. Units of the face are of its maker's choosing (modules, millimetres).
#[derive(Clone, Copy, Debug)]
pub(super) struct Pose {
    /// Pixels for one unit of the face where the face's origin is.
    pub scale: f32,
    /// Turn in the plane of the picture, radians.
    pub turn: f32,
    /// Axis and angle of the tilt out of that plane: the vector's length is the angle in radians,
    /// its direction that of the axis.
    pub tilt: Point,
    /// Where the origin of the face is seen.
    pub centre: Point,
}

impl Pose {
    /// Returns the map from the face to the picture.
    pub fn map(&self) -> Map {
        let angle = self.tilt[0].hypot(self.tilt[1]);
        let axis =
            if angle > 0.0 { [self.tilt[0] / angle, self.tilt[1] / angle] } else { [1.0, 0.0] };
        let (sine, cosine) = angle.sin_cos();
        let (turn_sine, turn_cosine) = self.turn.sin_cos();
        // The columns are where the face's two directions point to in space: turned in the plane,
        // then rotated around the axis (Rodrigues).
        let column = |x: f32, y: f32| {
            let along = (axis[0] * x + axis[1] * y) * (1.0 - cosine);
            [
                self.scale * (x * cosine + axis[0] * along),
                self.scale * (y * cosine + axis[1] * along),
                self.scale * sine * (axis[0] * y - axis[1] * x),
            ]
        };
        let across = column(turn_cosine, turn_sine);
        let down = column(-turn_sine, turn_cosine);
        let row = |at: usize| {
            [
                FOCAL * across[at] + self.centre[at] * across[2],
                FOCAL * down[at] + self.centre[at] * down[2],
                self.centre[at] * FOCAL,
            ]
        };
        Map([row(0), row(1), [across[2], down[2], FOCAL]])
    }

    /// Moves the pose so that the box around these points of the face has its middle at `to`.
    pub fn centred(self, points: &[Point], to: Point) -> Pose {
        let (middle, _) = extent(&self.map(), points);
        let centre = [self.centre[0] + to[0] - middle[0], self.centre[1] + to[1] - middle[1]];
        Pose { centre, ..self }
    }
}

/// Returns the middle of the upright box around the points, as seen, and half its size.
pub(super) fn extent(map: &Map, points: &[Point]) -> (Point, Point) {
    let mut low = [f32::MAX; 2];
    let mut high = [f32::MIN; 2];
    for point in points {
        let seen = map.apply(*point);
        for axis in 0..2 {
            low[axis] = low[axis].min(seen[axis]);
            high[axis] = high[axis].max(seen[axis]);
        }
    }
    let middle = [(low[0] + high[0]) / 2.0, (low[1] + high[1]) / 2.0];
    (middle, [(high[0] - low[0]) / 2.0, (high[1] - low[1]) / 2.0])
}

/// Returns the area of a quadrilateral.
pub(super) fn area_of(quad: &[Point; 4]) -> f32 {
    let cross = |from: Point, to: Point| from[0] * to[1] - from[1] * to[0];
    (0..4).map(|at| cross(quad[at], quad[(at + 1) % 4])).sum::<f32>().abs() / 2.0
}

/// A projective map of the plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Map([[f32; 3]; 3]);

impl Map {
    pub fn apply(&self, [x, y]: Point) -> Point {
        let row = |row: [f32; 3]| row[0] * x + row[1] * y + row[2];
        let depth = row(self.0[2]);
        [row(self.0[0]) / depth, row(self.0[1]) / depth]
    }

    /// Returns the map back, up to a factor that projective maps do not show.
    pub fn inverse(&self) -> Map {
        let m = |row: usize, column: usize| f64::from(self.0[row % 3][column % 3]);
        let mut adjugate = [[0.0_f64; 3]; 3];
        for (row, values) in adjugate.iter_mut().enumerate() {
            for (column, value) in values.iter_mut().enumerate() {
                *value = m(column + 1, row + 1) * m(column + 2, row + 2)
                    - m(column + 1, row + 2) * m(column + 2, row + 1);
            }
        }
        let last = adjugate[2][2];
        Map(adjugate.map(|row| row.map(|value| (value / last) as f32)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEANING: Pose = Pose { scale: 3.0, turn: 0.7, tilt: [0.3, -0.4], centre: [700.0, 300.0] };

    fn is_near(one: Point, other: Point) -> bool {
        (one[0] - other[0]).hypot(one[1] - other[1]) < 0.01
    }

    #[test]
    fn a_face_seen_straight_is_scaled_and_moved() {
        let pose = Pose { scale: 2.0, turn: 0.0, tilt: [0.0, 0.0], centre: [100.0, 50.0] };
        assert!(is_near(pose.map().apply([10.0, -5.0]), [120.0, 40.0]));
    }

    #[test]
    fn the_way_back_leads_to_the_same_point() {
        let map = LEANING.map();
        for point in [[0.0, 0.0], [25.0, 25.0], [-120.0, 40.0]] {
            assert!(is_near(map.inverse().apply(map.apply(point)), point), "{point:?}");
        }
    }

    #[test]
    fn what_leans_away_is_smaller() {
        // Tilted around the axis across: the lower edge goes away from the eye.
        let map = Pose { turn: 0.0, tilt: [0.5, 0.0], ..LEANING }.map();
        let width = |y: f32| map.apply([30.0, y])[0] - map.apply([-30.0, y])[0];
        assert!(width(30.0) < width(-30.0));
        let straight = Pose { turn: 0.0, tilt: [0.0, 0.0], ..LEANING }.map();
        assert!(map.apply([0.0, 30.0])[1] < straight.apply([0.0, 30.0])[1]);
    }

    #[test]
    fn centring_moves_the_box_there() {
        let points = [[-20.0, -20.0], [20.0, -20.0], [20.0, 20.0], [-20.0, 20.0]];
        let centred = LEANING.centred(&points, [640.0, 360.0]);
        let (middle, _) = extent(&centred.map(), &points);
        assert!(is_near(middle, [640.0, 360.0]), "{middle:?}");
    }
}
