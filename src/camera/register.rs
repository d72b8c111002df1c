//! Lays the grid of a code over its picture.
//!
//! Three corners give its place, the timing patterns between them the number of modules and most of
//! the perspective, the alignment patterns the rest.

use super::corners::Corner;
use super::geometry::{Homography, Picture, Point};
use super::soft::Effort;
use super::symbol::{self, Layout, VERSIONS};

/// Three corners that may belong to one code.
#[derive(Clone, Copy, Debug)]
pub(super) struct Triple {
    /// Top left, top right, bottom left of an upright code.
    pub(super) corners: [Corner; 3],
    /// Modules between the middles of two corners, by their size.
    pub(super) span: f32,
    /// How much is wrong with it; 0 is perfect.
    pub(super) fault: f32,
}

/// A grid laid over a picture.
#[derive(Clone, Copy)]
pub(super) struct Grid {
    pub(super) layout: &'static Layout,
    pub(super) plane: Homography,
    /// How well the fixed patterns agree, 1 is perfectly.
    pub(super) fit: f32,
}

/// Most triples that are kept.
pub(super) const MOST_TRIPLES: usize = 12;

/// Lists triples of corners that look like codes, the best first.
pub(super) fn triples(corners: &[Corner], found: &mut Vec<Triple>) {
    found.clear();
    for a in 0..corners.len() {
        for b in 0..a {
            for c in 0..b {
                found.extend(triple([corners[a], corners[b], corners[c]]));
            }
        }
    }
    found.sort_unstable_by(|a, b| a.fault.total_cmp(&b.fault));
    found.truncate(MOST_TRIPLES);
}

/// Orders three corners as those of a code, if they may be.
pub(super) fn triple(three: [Corner; 3]) -> Option<Triple> {
    let size = |c: &Corner| c.across * c.down;
    let (least, most) = three
        .iter()
        .fold((f32::MAX, 0.0_f32), |(least, most), c| (least.min(size(c)), most.max(size(c))));
    if most > 3.0 * least {
        return None;
    }
    // The top left one is opposite the longest side.
    let far = |i: usize| three[(i + 1) % 3].at.minus(three[(i + 2) % 3].at).length();
    let first = (0..3).max_by(|a, b| far(*a).total_cmp(&far(*b)))?;
    let (origin, mut right, mut below) =
        (three[first], three[(first + 1) % 3], three[(first + 2) % 3]);
    if right.at.minus(origin.at).cross(below.at.minus(origin.at)) < 0.0 {
        (right, below) = (below, right);
    }
    let (across, down) = (right.at.minus(origin.at), below.at.minus(origin.at));
    let area = across.cross(down);
    let (a, d) = (across.length(), down.length());
    let cosine = across.dot(down) / (a * d).max(1.0);
    if cosine.abs() > 0.6 || a > 2.0 * d || d > 2.0 * a {
        return None;
    }
    let corners = [origin, right, below];
    let mut spans = [0.0_f32; 6];
    for (i, c) in corners.iter().enumerate() {
        // A line along a row leaves a square of 7 modules at one of its four sides.
        let row = (down.y / area).abs().max((across.y / area).abs());
        let column = (down.x / area).abs().max((across.x / area).abs());
        spans[2 * i] = 7.0 / (c.across * row).max(1e-3);
        spans[2 * i + 1] = 7.0 / (c.down * column).max(1e-3);
    }
    spans.sort_unstable_by(f32::total_cmp);
    let span = (spans[2] + spans[3]) / 2.0;
    if !(11.0..=185.0).contains(&span) {
        return None;
    }
    let spread = (spans[5] - spans[0]) / span;
    let seen = corners.iter().map(|c| c.seen).min().unwrap_or(0).min(6) as f32;
    let fault = spread + cosine.abs() + (a / d).ln().abs() - 0.05 * seen;
    (spread < 0.8).then_some(Triple { corners, span, fault })
}

/// Most triples of which one corner is guessed.
const MOST_GUESSED: usize = 8;

/// Lists triples of two corners that were found and a third that is looked for where it should be.
pub(super) fn completed(
    picture: &Picture<'_>,
    corners: &[Corner],
    effort: &mut Effort,
    found: &mut Vec<Triple>,
) {
    found.clear();
    for (i, a) in corners.iter().enumerate() {
        for b in &corners[..i] {
            let (small, large) = (a.across * a.down, b.across * b.down);
            if small > 2.0 * large || large > 2.0 * small {
                continue;
            }
            for is_diagonal in [false, true] {
                if effort.pay(5) {
                    complete(picture, *a, *b, is_diagonal, effort, found);
                }
            }
        }
    }
    found.sort_unstable_by(|a, b| a.fault.total_cmp(&b.fault));
    found.truncate(MOST_GUESSED);
}

/// Takes two corners for neighbours, or for those across from each other, and looks for the third.
fn complete(
    picture: &Picture<'_>,
    a: Corner,
    b: Corner,
    is_diagonal: bool,
    effort: &mut Effort,
    found: &mut Vec<Triple>,
) {
    let along = b.at.minus(a.at);
    let turned = Point::new(-along.y, along.x);
    let (right, below) = if is_diagonal {
        (
            Point::default().plus(along, 0.5).plus(turned, 0.5),
            Point::default().plus(along, 0.5).plus(turned, -0.5),
        )
    } else {
        (along, turned)
    };
    let area = right.cross(below).abs();
    let row = (below.y / area).abs().max((right.y / area).abs());
    let column = (below.x / area).abs().max((right.x / area).abs());
    let size = (a.across * b.across).sqrt() * row + (a.down * b.down).sqrt() * column;
    let span = 14.0 / size.max(1e-3);
    if !(13.0..=100.0).contains(&span) {
        return;
    }
    let (right, below) =
        (Point::default().plus(right, 1.0 / span), Point::default().plus(below, 1.0 / span));
    let fit = |at: Point| correlation(picture, Pattern::Corner, at, right, below);
    let known = fit(a.at).min(fit(b.at));
    if known < 0.5 {
        return;
    }
    let third = |from: Point, side: f32, along: Point| from.plus(along, side);
    let middle = a.at.plus(along, 0.5);
    let places = if is_diagonal {
        [Some(middle.plus(turned, 0.5)), Some(middle.plus(turned, -0.5)), None, None]
    } else {
        [1.0, -1.0, 1.0, -1.0].map(Some).map(|side| side.map(|side| third(a.at, side, turned)))
    };
    for (i, place) in places.into_iter().enumerate() {
        let Some(place) = place else {
            continue;
        };
        let place = if i > 1 { place.plus(along, 1.0) } else { place };
        let reach = (0.2 * span) as i32;
        if !picture.holds(place) || !effort.pay(i64::from((2 * reach + 1).pow(2)) * 4 / 5) {
            continue;
        }
        let mut best = (f32::MIN, place);
        for dy in -reach..=reach {
            for dx in -reach..=reach {
                let at = place.plus(right, dx as f32).plus(below, dy as f32);
                let value = fit(at);
                if value > best.0 {
                    best = (value, at);
                }
            }
        }
        if best.0 < 0.35 {
            continue;
        }
        let corner = Corner {
            at: best.1,
            across: (a.across * b.across).sqrt(),
            down: (a.down * b.down).sqrt(),
            seen: 1,
        };
        if let Some(mut triple) = triple([a, b, corner]) {
            triple.fault = 2.0 - known - best.0;
            found.push(triple);
        }
    }
}

/// Lays grids over a triple: of the two versions whose timing patterns agree best, the best first.
///
/// No grid where no timing pattern does.
pub(super) fn grids(
    picture: &Picture<'_>,
    triple: &Triple,
    effort: &mut Effort,
) -> [Option<Grid>; 2] {
    // Measured: twice 13 perspectives of each version near the span.
    if !effort.pay((triple.span * triple.span / 12.0) as i64) {
        return [None, None];
    }
    let points = triple.corners.map(|c| c.at);
    let mut best: [Option<(f32, usize, f32, f32)>; 2] = [None; 2];
    for version in VERSIONS {
        let span = (symbol::side(version) - 7) as f32;
        // Chosen: two versions, or a fifth, to each side.
        if (span - triple.span).abs() > (0.2 * triple.span).max(7.0) {
            continue;
        }
        let (right, g) = timing(picture, points, span, false);
        let (below, h) = timing(picture, points, span, true);
        if right + below < LEAST_TIMING {
            continue;
        }
        let off = (span - triple.span).abs() / triple.span;
        let score = right + below - 0.5 * off;
        let mut entry = Some((score, version, g, h));
        for place in &mut best {
            if place.is_none_or(|(s, ..)| entry.is_some_and(|(e, ..)| e > s)) {
                std::mem::swap(place, &mut entry);
            }
        }
    }
    let mut laid = |guess: Option<(f32, usize, f32, f32)>| {
        let (_, version, g, h) = guess?;
        effort.pay(GRID_COST.0 + GRID_COST.1 * version as i64).then_some(())?;
        grid(picture, points, version, g, h)
    };
    let first = laid(best[0]);
    if first.as_ref().is_some_and(|grid| grid.fit > 0.9) {
        return [first, None];
    }
    let second = laid(best[1]);
    let fit = |grid: &Option<Grid>| grid.as_ref().map_or(-2.0, |grid| grid.fit);
    if fit(&second) > fit(&first) { [second, first] } else { [first, second] }
}

/// What it costs to lay a grid, at least and for each version. Measured.
const GRID_COST: (i64, i64) = (120, 32);

/// Agreement of the two timing patterns from which a grid is laid; 2 is perfect.
const LEAST_TIMING: f32 = 0.5;

/// Compares a timing pattern with its picture under some perspectives; returns the best agreement
/// and its perspective: how much further away the far corner is.
fn timing(
    picture: &Picture<'_>,
    [origin, right, below]: [Point; 3],
    span: f32,
    turned: bool,
) -> (f32, f32) {
    let (far, beside) = if turned { (below, right) } else { (right, below) };
    let (along, across) = (far.minus(origin), beside.minus(origin));
    let count = span as usize - 7;
    let mut best = (-1.0, 0.0);
    for step in -6..=6 {
        let g = step as f32 * 0.03;
        let (mut sum, mut squares, mut product) = (0.0, 0.0, 0.0);
        for i in 0..count {
            // From the middle of the first corner; the last module before the far one is `count`.
            let u = i as f32 + 5.0;
            let t = u / span;
            let t = t * (1.0 + g) / (1.0 + g * t);
            let at = origin.plus(along, t).plus(across, 3.0 / span * (1.0 - g * t));
            let level = picture.linear(at);
            sum += level;
            squares += level * level;
            product += if i % 2 == 0 { level } else { -level };
        }
        let n = count as f32;
        let deviation = (squares / n - (sum / n) * (sum / n)).max(4.0).sqrt();
        let score = product / n / deviation;
        if score > best.0 {
            best = (score, g);
        }
    }
    best
}

/// Lays a grid again that was laid over the frame before.
pub(super) fn followed(picture: &Picture<'_>, before: &Grid) -> Option<Grid> {
    let side = before.layout.side as f32;
    let mut points = [Point::default(); 3];
    let places = [(3.5, 3.5), (side - 3.5, 3.5), (3.5, side - 3.5)];
    for (point, (u, v)) in points.iter_mut().zip(places) {
        let at = Point::new(u, v);
        if !picture.holds(before.plane.map(at)) {
            return None;
        }
        *point = matched(picture, &before.plane, at, Pattern::Corner, FOLLOWED)?.0;
    }
    grid(picture, points, before.layout.version, 0.0, 0.0)
}

/// How far a code may move from one frame to the next to be followed, in modules.
const FOLLOWED: f32 = 5.0;

/// Lays the grid of a version.
fn grid(picture: &Picture<'_>, points: [Point; 3], version: usize, g: f32, h: f32) -> Option<Grid> {
    let layout = Layout::of(version)?;
    let side = layout.side as f32;
    let [origin, right, below] = points;
    // In parts of the span from the middle of the first corner:
    // (x, y) = origin + ((1+g) u A + (1+h) v B) / (1 + g u + h v).
    let (a, b) = (right.minus(origin), below.minus(origin));
    let w = 1.0 + g + h;
    let fourth = origin.plus(a, (1.0 + g) / w).plus(b, (1.0 + h) / w);
    let middle = |x: f32, y: f32| Point::new(x, y);
    let plane = [
        middle(3.5, 3.5),
        middle(side - 3.5, 3.5),
        middle(3.5, side - 3.5),
        middle(side - 3.5, side - 3.5),
    ];
    let mut homography = Homography::of(plane, [origin, right, below, fourth])?;

    let mut pairs = Vec::with_capacity(3 + 46);
    for (i, at) in plane[..3].iter().enumerate() {
        let found = matched(picture, &homography, *at, Pattern::Corner, 0.8)
            .map_or(points[i], |(point, _)| point);
        pairs.push((*at, found, 1.0));
    }
    let last = layout.alignment.len().saturating_sub(1);
    let mut aligned = 0;
    if last > 0 {
        homography = perspective(picture, layout, &pairs)?;
        // The one at the bottom right first: it says most.
        let at = layout.alignment[last] as f32 + 0.5;
        let at = Point::new(at, at);
        if let Some((found, score)) = matched(picture, &homography, at, Pattern::Alignment, 1.0)
            && score > 0.4
        {
            pairs.push((at, found, score));
            aligned += 1;
            homography = Homography::fitted(&pairs)?;
        }
        if last > 1 {
            for (row, y) in layout.alignment.iter().enumerate() {
                for (column, x) in layout.alignment.iter().enumerate() {
                    if [(0, 0), (0, last), (last, 0), (last, last)].contains(&(row, column)) {
                        continue;
                    }
                    let at = Point::new(*x as f32 + 0.5, *y as f32 + 0.5);
                    let reach = if aligned > 0 { 1.0 } else { 1.5 };
                    let found = matched(picture, &homography, at, Pattern::Alignment, reach);
                    if let Some((found, score)) = found
                        && score > 0.5
                    {
                        pairs.push((at, found, 0.7 * score));
                        aligned += 1;
                    }
                }
            }
        }
    }
    if aligned == 0 {
        // Keeps the perspective of the timing patterns.
        pairs.push((plane[3], homography.map(plane[3]), 0.5));
    }
    let plane = Homography::fitted(&pairs).unwrap_or(homography);
    Some(Grid { layout, plane, fit: agreement(picture, layout, &plane) })
}

/// Finds the perspective under which the alignment patterns agree best.
///
/// The last one, at the bottom right, is looked for; where more than one place looks like it, the
/// other patterns tell.
fn perspective(
    picture: &Picture<'_>,
    layout: &Layout,
    pairs: &[(Point, Point, f32)],
) -> Option<Homography> {
    let side = layout.side as f32;
    let [origin, right, below] = [pairs.first()?, pairs.get(1)?, pairs.get(2)?];
    let span = side - 7.0;
    let across = Point::default().plus(right.1.minus(origin.1), 1.0 / span);
    let down = Point::default().plus(below.1.minus(origin.1), 1.0 / span);
    let last = layout.alignment.len() - 1;
    let place = layout.alignment[last] as f32 + 0.5;
    let expected = origin.1.plus(across, place - 3.5).plus(down, place - 3.5);
    let steps = ((2.0 + 0.1 * span) / STEP) as i32;
    let mut best = [(f32::MIN, expected); PLACES];
    for i in -steps..=steps {
        for j in -steps..=steps {
            let (x, y) = (i as f32 * STEP, j as f32 * STEP);
            let at = expected.plus(across, x).plus(down, y);
            let score = correlation(picture, Pattern::Alignment, at, across, down)
                - 0.3 / span * (x * x + y * y).sqrt();
            let mut entry = (score, at);
            // One of a peak only.
            let near = best.iter_mut().find(|b| {
                b.0 > f32::MIN && b.1.minus(at).length() < 1.5 * across.length().max(down.length())
            });
            if let Some(near) = near {
                if score > near.0 {
                    *near = entry;
                    best.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
                }
                continue;
            }
            for place in &mut best {
                if entry.0 > place.0 {
                    std::mem::swap(place, &mut entry);
                }
            }
        }
    }
    let mut found: Option<(f32, Homography)> = None;
    for (score, at) in best.into_iter().filter(|(score, _)| *score > f32::MIN) {
        let plane = [origin.0, right.0, below.0, Point::new(place, place)];
        let Some(plane) = Homography::of(plane, [origin.1, right.1, below.1, at]) else {
            continue;
        };
        let (mut sum, mut count) = (2.0 * score, 2.0);
        for (row, v) in layout.alignment.iter().enumerate() {
            for (column, u) in layout.alignment.iter().enumerate() {
                // Those between corners hardly move.
                if row == 0 || column == 0 || (row, column) == (last, last) {
                    continue;
                }
                let at = Point::new(*u as f32 + 0.5, *v as f32 + 0.5);
                let (right, below) = plane.axes(at);
                sum += correlation(picture, Pattern::Alignment, plane.map(at), right, below);
                count += 1.0;
            }
        }
        let score = sum / count + agreement(picture, layout, &plane);
        if found.is_none_or(|(b, _)| score > b) {
            found = Some((score, plane));
        }
    }
    found.map(|(_, plane)| plane)
}

/// Places at which the last alignment pattern may be.
const PLACES: usize = 5;

/// Modules from one place tried to the next.
const STEP: f32 = 0.7;

/// A pattern of concentric squares.
#[derive(Clone, Copy)]
enum Pattern {
    /// With the light modules around it.
    Corner,
    Alignment,
}

impl Pattern {
    /// Modules from the middle to the rim.
    fn reach(self) -> i32 {
        match self {
            Pattern::Corner => 4,
            Pattern::Alignment => 2,
        }
    }

    fn is_dark(self, ring: i32) -> bool {
        match self {
            Pattern::Corner => ring != 2 && ring != 4,
            Pattern::Alignment => ring != 1,
        }
    }
}

/// Looks for a pattern around where it should be, up to `reach` modules away.
///
/// Returns where it fits best, and how well.
fn matched(
    picture: &Picture<'_>,
    plane: &Homography,
    at: Point,
    pattern: Pattern,
    reach: f32,
) -> Option<(Point, f32)> {
    let middle = plane.map(at);
    let (right, below) = plane.axes(at);
    let score = |x: f32, y: f32| {
        correlation(picture, pattern, middle.plus(right, x).plus(below, y), right, below)
    };
    let step = 0.5;
    let steps = (reach / step).ceil() as i32;
    let mut best = (f32::MIN, 0.0, 0.0);
    for i in -steps..=steps {
        for j in -steps..=steps {
            let (x, y) = (i as f32 * step, j as f32 * step);
            let value = score(x, y) - 0.01 * (x * x + y * y).sqrt();
            if value > best.0 {
                best = (value, x, y);
            }
        }
    }
    let (_, mut x, mut y) = best;
    for step in [0.25, 0.125] {
        let (left, here, right) = (score(x - step, y), score(x, y), score(x + step, y));
        x += peak(left, here, right) * step;
        let (above, here, under) = (score(x, y - step), score(x, y), score(x, y + step));
        y += peak(above, here, under) * step;
    }
    Some((middle.plus(right, x).plus(below, y), score(x, y)))
}

/// The correlation of the levels around a place with a pattern, 1 where they are alike.
fn correlation(
    picture: &Picture<'_>,
    pattern: Pattern,
    from: Point,
    right: Point,
    below: Point,
) -> f32 {
    let n = pattern.reach();
    let (mut dark, mut light, mut squares) = ((0.0, 0.0), (0.0, 0.0), 0.0);
    for dy in -n..=n {
        for dx in -n..=n {
            let level = picture.linear(from.plus(right, dx as f32).plus(below, dy as f32));
            let side = if pattern.is_dark(dx.abs().max(dy.abs())) { &mut dark } else { &mut light };
            side.0 += level;
            side.1 += 1.0;
            squares += level * level;
        }
    }
    let count: f32 = dark.1 + light.1;
    let mean: f32 = (dark.0 + light.0) / count;
    let deviation = (squares / count - mean * mean).max(9.0).sqrt();
    let difference: f32 = light.0 / light.1 - dark.0 / dark.1;
    difference * (dark.1 * light.1).sqrt() / count / deviation
}

/// Where three values a step apart have their peak, from the middle one.
fn peak(before: f32, here: f32, after: f32) -> f32 {
    let bend = before - 2.0 * here + after;
    if bend >= -1e-6 {
        return if after > before { 1.0 } else { -1.0 };
    }
    (0.5 * (before - after) / bend).clamp(-1.0, 1.0)
}

/// How well the fixed modules agree with their levels, compared within their neighbourhood.
pub(super) fn agreement(picture: &Picture<'_>, layout: &Layout, plane: &Homography) -> f32 {
    let side = layout.side;
    let (mut sum, mut weight) = (0.0, 0.0);
    for i in 7..side - 8 {
        // Each module of a timing pattern against its two neighbours.
        for turned in [false, true] {
            let level = |i: usize| {
                let (u, v) = (i as f32 + 0.5, 6.5);
                picture.linear(plane.map(if turned { Point::new(v, u) } else { Point::new(u, v) }))
            };
            let difference = level(i - 1) - 2.0 * level(i) + level(i + 1);
            sum += if i % 2 == 0 { difference } else { -difference };
            weight += difference.abs();
        }
    }
    if weight < 1.0 { 0.0 } else { sum / weight }
}
