//! A card on a desk before a camera: light, shade, shine, and the way of the picture into a frame.

use super::canvas::Area;
use super::dice::Dice;
use super::level::Ranges;
use super::optics;
use super::pose::{Map, Point};
use super::{HEIGHT, WIDTH};

/// Something flat to look at, in units of its own.
pub(super) trait Face {
    /// Where it ends.
    fn outline(&self) -> Area;

    /// Returns the grey of a point inside the outline.
    fn grey(&self, x: f32, y: f32) -> f32;
}

/// The part of the picture that has to be read: shade and shine are put where they disturb it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Focus {
    /// Its corners in the picture, around.
    pub quad: [Point; 4],
    /// Length by which blobs and fingers are measured, pixels: the side of a card's code.
    pub size: f32,
    /// Pixels a module there.
    pub module: f32,
}

impl Focus {
    pub fn centre(&self) -> Point {
        let sum = |axis: usize| self.quad.iter().map(|corner| corner[axis]).sum::<f32>() / 4.0;
        [sum(0), sum(1)]
    }

    /// Returns a point from the middle: `across` and `down` are 1 at the edges.
    fn at(&self, across: f32, down: f32) -> Point {
        let [one, two, three, four] = self.quad;
        let centre = self.centre();
        let along = |axis: usize| {
            let right = (two[axis] + three[axis] - one[axis] - four[axis]) / 4.0;
            let below = (three[axis] + four[axis] - one[axis] - two[axis]) / 4.0;
            centre[axis] + across * right + down * below
        };
        [along(0), along(1)]
    }

    /// Returns how far it reaches from its middle in a direction, about.
    fn reach(&self, direction: f32) -> f32 {
        let (sine, cosine) = direction.sin_cos();
        let centre = self.centre();
        let along = |point: Point| (point[0] - centre[0]) * cosine + (point[1] - centre[1]) * sine;
        along(self.at(1.0, 0.0)).hypot(along(self.at(0.0, 1.0)))
    }
}

/// All that does not change from one frame of a burst to the next.
#[derive(Clone)]
pub(super) struct Conditions {
    desk: Desk,
    /// Share of the print's contrast that is left, and the grey that veils it.
    pub contrast: f32,
    haze: f32,
    gradient: Gradient,
    shadow: Option<Shadow>,
    pub light: f32,
    blobs: Vec<Blob>,
    streaks: Vec<Streak>,
    finger: Option<Finger>,
    pub noise: f32,
    sharpening: Option<f32>,
    gain: f32,
    pub quality: u8,
}

/// What is different in each frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    /// Deviation of the lens's blur, pixels.
    pub defocus: f32,
    /// Way during the exposure, pixels.
    pub motion: Point,
    /// How far mirrored lamps have wandered since the first frame, pixels.
    pub shine: Point,
}

/// Light that grows less across the picture.
#[derive(Clone)]
struct Gradient {
    depth: f32,
    direction: f32,
}

/// The edge of a shadow. Offsets are in reaches of the focus.
#[derive(Clone)]
struct Shadow {
    direction: f32,
    offset: f32,
    softness: f32,
    depth: f32,
}

/// A mirrored lamp. Its place is in halves of the focus, its spread in sizes.
#[derive(Clone)]
struct Blob {
    at: Point,
    spread: Point,
    brightness: f32,
}

/// A fold or scratch of the laminate that shines.
#[derive(Clone)]
struct Streak {
    direction: f32,
    offset: f32,
    half_width: f32,
    brightness: f32,
}

/// A fingertip at an edge, that covers a module at most.
#[derive(Clone)]
struct Finger {
    /// Which edge, and where along it.
    edge: usize,
    along: f32,
    /// In sizes.
    radius: f32,
    /// Modules outwards from touching the edge.
    outwards: f32,
    grey: f32,
}

impl Conditions {
    pub fn draw(ranges: &Ranges, dice: &mut Dice) -> Conditions {
        let contrast = dice.within(ranges.contrast);
        let depth = dice.within(ranges.gradient);
        let light = dice.within(ranges.light);
        // A lamp that lights unevenly throws shadows too.
        let shadow = dice.happens(depth).then(|| Shadow {
            direction: dice.direction(),
            offset: dice.around(1.0),
            softness: dice.within((3.0, 20.0)),
            depth: dice.within((0.15, 0.45)),
        });
        let blobs = if dice.happens(ranges.glare) { 1 + dice.whole().below(2) } else { 0 };
        let streaks = if dice.happens(ranges.streaks) { 1 + dice.whole().below(3) } else { 0 };
        // Cameras make dark pictures brighter, and rarely as bright as the day.
        let gain = if light < 0.7 && dice.happens(0.7) {
            1.0 + (1.0 / light - 1.0) * dice.within((0.4, 0.9))
        } else {
            1.0
        };
        Conditions {
            desk: Desk::draw(dice),
            contrast,
            haze: dice.within((0.0, 60.0)) * (1.0 - contrast),
            gradient: Gradient { depth, direction: dice.direction() },
            shadow,
            light,
            blobs: (0..blobs)
                .map(|_| Blob {
                    at: [dice.around(1.5), dice.around(1.5)],
                    spread: [dice.within((0.06, 0.22)), dice.within((0.06, 0.22))],
                    brightness: dice.within((60.0, 220.0)),
                })
                .collect(),
            streaks: (0..streaks)
                .map(|_| Streak {
                    direction: dice.direction(),
                    offset: dice.around(1.2),
                    half_width: dice.within((0.02, 0.10)),
                    brightness: dice.within((20.0, 90.0)),
                })
                .collect(),
            finger: dice.happens(ranges.finger).then(|| Finger {
                edge: dice.whole().below(4) as usize,
                along: dice.within((0.1, 0.9)),
                radius: dice.within((0.15, 0.25)),
                outwards: dice.within((-1.0, 2.0)),
                grey: dice.within((70.0, 150.0)),
            }),
            noise: dice.within(ranges.noise),
            sharpening: dice.happens(0.4).then(|| dice.within((0.3, 1.0))),
            gain,
            quality: dice.within(ranges.quality) as u8,
        }
    }

    pub fn has_glare(&self) -> bool {
        !self.blobs.is_empty()
    }

    pub fn has_streaks(&self) -> bool {
        !self.streaks.is_empty()
    }

    pub fn has_finger(&self) -> bool {
        self.finger.is_some()
    }

    /// Takes the picture: 8-bit grey, as it comes out of the camera's JPEG.
    pub fn expose(
        &self,
        face: &impl Face,
        map: &Map,
        focus: &Focus,
        moment: &Moment,
        dice: &mut Dice,
    ) -> Vec<u8> {
        let lit = self.lit(focus, moment);
        let (outline, back) = (face.outline(), map.inverse());
        let mut picture = vec![0.0_f32; WIDTH * HEIGHT];
        for (y, row) in picture.chunks_exact_mut(WIDTH).enumerate() {
            let desk = self.desk.row(y);
            for (x, pixel) in row.iter_mut().enumerate() {
                let (x, y) = (x as f32, y as f32);
                let (mut sum, mut inside) = (0.0, 0.0);
                // Four points of each pixel.
                for (dx, dy) in [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)] {
                    let [across, down] = back.apply([x + dx, y + dy]);
                    if outline.contains(across, down) {
                        sum += face.grey(across, down);
                        inside += 1.0;
                    }
                }
                let mut grey = sum / 4.0;
                let cover = inside / 4.0;
                if cover < 1.0 {
                    grey += (1.0 - cover) * desk.grey(x);
                }
                *pixel = lit.light(grey, cover, x + 0.5, y + 0.5);
            }
        }
        // A fifteenth of a pixel is not seen.
        if moment.defocus > 0.15 {
            optics::defocus(&mut picture, WIDTH, moment.defocus);
        }
        if moment.motion[0].hypot(moment.motion[1]) > 1.0 {
            optics::motion(&mut picture, WIDTH, moment.motion);
        }
        optics::noise(&mut picture, WIDTH, self.noise, dice);
        if let Some(amount) = self.sharpening {
            optics::sharpen(&mut picture, WIDTH, amount);
        }
        if self.gain > 1.0 {
            picture.iter_mut().for_each(|grey| *grey *= self.gain);
        }
        optics::through_jpeg(&picture, WIDTH, self.quality).unwrap_or_default()
    }

    /// Puts light and shade where the focus is at this moment.
    fn lit(&self, focus: &Focus, moment: &Moment) -> Lit {
        let centre = focus.centre();
        let shone = [centre[0] + moment.shine[0], centre[1] + moment.shine[1]];
        let gradient = Ramp::new(
            self.gradient.direction,
            centre,
            0.0,
            focus.reach(self.gradient.direction) * 4.4,
        );
        let shadow = self.shadow.as_ref().map(|shadow| {
            let offset = shadow.offset * focus.reach(shadow.direction);
            (Ramp::new(shadow.direction, centre, offset, shadow.softness), shadow.depth)
        });
        let blobs = self.blobs.iter().map(|blob| {
            let [x, y] = focus.at(blob.at[0], blob.at[1]);
            let [across, down] = blob.spread.map(|spread| spread * focus.size);
            Glow {
                across: Ramp::new(0.0, [x + moment.shine[0], 0.0], 0.0, across),
                down: Ramp::new(std::f32::consts::FRAC_PI_2, [0.0, y + moment.shine[1]], 0.0, down),
                brightness: blob.brightness,
            }
        });
        let streaks = self.streaks.iter().map(|streak| {
            let offset = streak.offset * focus.reach(streak.direction);
            let half_width = streak.half_width * focus.size;
            Glow {
                across: Ramp::new(streak.direction, shone, offset, half_width),
                down: Ramp::FLAT,
                brightness: streak.brightness,
            }
        });
        Lit {
            contrast: self.contrast,
            base: 128.0 * (1.0 - self.contrast) + self.haze,
            gradient: (gradient, self.gradient.depth),
            shadow,
            light: self.light,
            glows: blobs.chain(streaks).collect(),
            finger: self.finger.as_ref().map(|finger| finger.tip(focus, self.light)),
        }
    }
}

impl Finger {
    fn tip(&self, focus: &Focus, light: f32) -> Tip {
        let (from, to) = (focus.quad[self.edge], focus.quad[(self.edge + 1) % 4]);
        let centre = focus.centre();
        let place = [0, 1].map(|axis| from[axis] + (to[axis] - from[axis]) * self.along);
        let edge = [to[0] - from[0], to[1] - from[1]];
        let length = edge[0].hypot(edge[1]).max(1e-6);
        let mut outwards = [edge[1] / length, -edge[0] / length];
        let away = [place[0] - centre[0], place[1] - centre[1]];
        if outwards[0] * away[0] + outwards[1] * away[1] < 0.0 {
            outwards = outwards.map(|part| -part);
        }
        let radius = self.radius * focus.size;
        let distance = radius + self.outwards * focus.module;
        Tip {
            middle: [0, 1].map(|axis| place[axis] + outwards[axis] * distance),
            radius,
            grey: self.grey * light,
        }
    }
}

/// A straight scale across the picture: 0 on a line, 1 one length beyond it.
#[derive(Clone, Copy)]
struct Ramp([f32; 3]);

impl Ramp {
    const FLAT: Ramp = Ramp([0.0; 3]);

    fn new(direction: f32, from: Point, offset: f32, length: f32) -> Ramp {
        let (sine, cosine) = direction.sin_cos();
        let start = from[0] * cosine + from[1] * sine + offset;
        Ramp([cosine / length, sine / length, -start / length])
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        self.0[0] * x + self.0[1] * y + self.0[2]
    }
}

/// Light that is added, as thick as a bell is.
struct Glow {
    across: Ramp,
    down: Ramp,
    brightness: f32,
}

struct Tip {
    middle: Point,
    radius: f32,
    grey: f32,
}

/// Light and shade in pixels.
struct Lit {
    contrast: f32,
    base: f32,
    gradient: (Ramp, f32),
    shadow: Option<(Ramp, f32)>,
    light: f32,
    glows: Vec<Glow>,
    finger: Option<Tip>,
}

impl Lit {
    /// Returns what of a grey reaches the lens; only the card shines.
    fn light(&self, grey: f32, cover: f32, x: f32, y: f32) -> f32 {
        let mut grey = self.base + grey * self.contrast;
        let (gradient, depth) = &self.gradient;
        // A logistic is half a tanh.
        grey *= 1.0 - depth * logistic(2.0 * gradient.at(x, y));
        if let Some((edge, depth)) = &self.shadow {
            grey *= 1.0 - depth * logistic(edge.at(x, y));
        }
        grey *= self.light;
        if cover > 0.0 {
            for glow in &self.glows {
                let squared = glow.across.at(x, y).powi(2) + glow.down.at(x, y).powi(2);
                // Below a hundredth of a grey.
                if squared < 20.0 {
                    grey += cover * glow.brightness * (-squared / 2.0).exp();
                }
            }
        }
        if let Some(tip) = &self.finger {
            let inside = tip.radius - (x - tip.middle[0]).hypot(y - tip.middle[1]);
            if inside > -15.0 {
                let cover = logistic(inside / 1.5);
                grey += (tip.grey - grey) * cover;
            }
        }
        grey
    }
}

fn logistic(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// The surface under the card: soft patches, light or dark.
#[derive(Clone)]
struct Desk {
    patches: Vec<f32>,
}

/// Pixels from one patch to the next.
const PATCH: usize = 40;
const PATCHES: usize = WIDTH / PATCH + 2;

impl Desk {
    fn draw(dice: &mut Dice) -> Desk {
        let base = dice.within((60.0, 170.0));
        let mut patches = vec![0.0; PATCHES * (HEIGHT / PATCH + 2)];
        dice.normals(&mut patches);
        for patch in &mut patches {
            *patch = base + 18.0 * *patch;
        }
        Desk { patches }
    }

    fn row(&self, y: usize) -> DeskRow {
        let (above, part) = (y / PATCH, ease((y % PATCH) as f32 / PATCH as f32));
        let row = |at: usize| &self.patches[at * PATCHES..(at + 1) * PATCHES];
        let mixed = row(above).iter().zip(row(above + 1));
        DeskRow(mixed.map(|(upper, lower)| upper + (lower - upper) * part).collect())
    }
}

struct DeskRow(Vec<f32>);

impl DeskRow {
    fn grey(&self, x: f32) -> f32 {
        let at = x as usize / PATCH;
        let part = ease(x / PATCH as f32 - at as f32);
        self.0[at] + (self.0[at + 1] - self.0[at]) * part
    }
}

fn ease(part: f32) -> f32 {
    part * part * (3.0 - 2.0 * part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::invented::random::Stream;
    use crate::invented::shots::level::Level;
    use crate::invented::shots::pose::Pose;

    /// A light square of 40 units with a dark middle.
    struct Plate;

    impl Face for Plate {
        fn outline(&self) -> Area {
            Area { left: -20.0, top: -20.0, width: 40.0, height: 40.0 }
        }

        fn grey(&self, x: f32, y: f32) -> f32 {
            if x.abs() < 10.0 && y.abs() < 10.0 { 40.0 } else { 220.0 }
        }
    }

    #[test]
    fn the_face_is_where_its_map_says() {
        let mut dice = Dice::new(1, Stream::Shot, 0);
        let mut conditions = Conditions::draw(Ranges::of(Level::Easy), &mut dice);
        (conditions.blobs, conditions.streaks, conditions.finger) = (vec![], vec![], None);
        let pose = Pose { scale: 8.0, turn: 0.4, tilt: [0.1, 0.1], centre: [500.0, 300.0] };
        let map = pose.map();
        let quad = [[-10.0, -10.0], [10.0, -10.0], [10.0, 10.0], [-10.0, 10.0]]
            .map(|corner| map.apply(corner));
        let focus = Focus { quad, size: 160.0, module: 4.0 };
        let moment = Moment { defocus: 0.5, motion: [0.0; 2], shine: [0.0; 2] };
        let picture = conditions.expose(&Plate, &map, &focus, &moment, &mut dice);
        assert_eq!(picture.len(), WIDTH * HEIGHT);
        let seen = |x: f32, y: f32| {
            let [x, y] = map.apply([x, y]);
            f32::from(picture[y as usize * WIDTH + x as usize])
        };
        for side in [-1.0, 1.0] {
            assert!(seen(8.5 * side, 0.0) + 40.0 < seen(11.5 * side, 0.0), "dark inside");
            assert!(seen(0.0, 8.5 * side) + 40.0 < seen(0.0, 11.5 * side), "dark inside");
        }
    }
}
