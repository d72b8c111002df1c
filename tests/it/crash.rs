//! Power cuts, kills and failing disks in the middle of an installation: afterwards it is always the
//! old list or the new one that answers, whole; no version is ever lower than before, no record is
//! lost that was promised, and the PIN unlocks.
//!
//! The installation runs once under `strace`. Out of what it did to its files, [`disk`] makes what
//! a cut after each single operation can leave: everything, nothing, some sectors or a torn end of
//! what was not synced, with names lost in order or out of order. Each such device is started again
//! and asked about every row.
//!
//! `FIELDCHECK_CUTS` says how many different devices are tried of each installation (`all`, or a
//! number), `FIELDCHECK_KILLS` how many times an installation is killed, and `FIELDCHECK_SEED` which
//! ones.

#![allow(clippy::print_stdout, reason = "the counts are what the suite has to show")]

mod disk;
mod installing;
mod lists;
mod random;
mod trace;

use std::collections::{BTreeMap, HashSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use disk::{Cut, Disk, Names};
use installing::Step::{Install, Withdraw};
use installing::{Ended, Place, Run, Scenario, scratch};
use lists::{PEOPLE, list, list_changes, list_of_new_keys, register, register_changes, withdrawal};
use random::Random;
use trace::Operation;

/// Different devices that are tried of each installation, unless `FIELDCHECK_CUTS` says otherwise:
/// together not more than 2,000.
const CUTS: usize = 200;

/// Kills, unless `FIELDCHECK_KILLS` says otherwise.
const KILLS: usize = 25;

/// Decides which of the many ways of failing are tried: the same ones in every run, unless
/// `FIELDCHECK_SEED` says otherwise.
const SEED: usize = 2026;

fn seed() -> u64 {
    number_in("FIELDCHECK_SEED", SEED) as u64
}

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Of so many devices one is also installed on again.
const MENDED_OF: usize = 6;

/// Does nothing by itself: see [`Place::program`].
#[test]
fn installs_in_a_process_of_its_own() {
    installing::install_in_this_process();
}

/// A newer list takes the place of an older one, beside a register.
fn new_list() -> Scenario {
    let before = [Install(register(1, 0..PEOPLE)), Install(list(1, 0..7))];
    Scenario::record("a newer list", &before, &Install(list(2, 3..PEOPLE)))
}

/// A newer register takes the place of an older one, beside a list.
fn new_register() -> Scenario {
    let before = [Install(list(1, 0..7)), Install(register(1, 0..8))];
    Scenario::record("a newer register", &before, &Install(register(2, 4..PEOPLE)))
}

/// The first list of a device.
fn first_list() -> Scenario {
    Scenario::record("a first list", &[], &Install(list(1, 0..7)))
}

/// Changes to a list that was changed before.
fn changed_list() -> Scenario {
    let full = list(1, 0..9);
    let before = [Install(full.clone()), Install(list_changes(&full, 2, 9..11, 0..1))];
    let step = Install(list_changes(&full, 3, 8..13, 0..3));
    Scenario::record("changes to a list", &before, &step)
}

/// The first changes to a register.
fn changed_register() -> Scenario {
    let full = register(1, 0..15);
    let step = Install(register_changes(&full, 2, 0..5, 15..PEOPLE));
    Scenario::record("changes to a register", &[Install(full)], &step)
}

/// A full list in place of an older one and the changes to it.
fn list_over_changes() -> Scenario {
    let full = list(1, 0..9);
    let before = [Install(full.clone()), Install(list_changes(&full, 2, 9..11, 0..1))];
    Scenario::record("a newer list over changes", &before, &Install(list(3, 2..12)))
}

/// An emergency withdrawal from a list and its changes.
fn withdrawn() -> Scenario {
    let full = list(1, 0..9);
    let before = [Install(full.clone()), Install(list_changes(&full, 2, 9..11, 0..1))];
    Scenario::record("a withdrawal", &before, &Withdraw(withdrawal(2, 4..10)))
}

/// A list under a root document that hands over to other keys.
fn new_keys() -> Scenario {
    let before = [Install(list(1, 0..9)), Withdraw(withdrawal(1, 2..4))];
    Scenario::record("a list of new keys", &before, &Install(list_of_new_keys(1, 2, 1..12)))
}

/// A list of a new epoch, in which versions begin anew.
fn new_epoch() -> Scenario {
    let before = [Install(list(5, 0..9))];
    Scenario::record("a list of a new epoch", &before, &Install(list_of_new_keys(2, 1, 1..12)))
}

/// The same newer register once more, after its first installation was cut half way.
fn register_begun_again() -> Scenario {
    let first = new_register();
    let operations = &first.trace.operations;
    let build: Vec<usize> =
        (0..operations.len()).filter(|at| is_of_the_build(&operations[*at])).collect();
    let after = build[build.len() / 2];
    let mut left = None;
    replay(&first, operations, |disks, done| {
        if done == after {
            let cut = Cut::all(after).next().expect("the death of the program alone");
            left = Some(disks.of(cut).image(cut, seed()));
        }
    });
    let again = first.record_again("a newer register, begun again", &left.expect("a device"));
    let written = |scenario: &Scenario| {
        scenario.trace.operations.iter().filter(|operation| is_of_the_build(operation)).count()
    };
    assert!(again.old.is_unfinished, "nothing is left to go on from");
    assert!(written(&again) < written(&first), "it did not go on, it began anew");
    again
}

/// Whether something is written of a database that is being built.
fn is_of_the_build(operation: &Operation) -> bool {
    matches!(operation, Operation::Write { path, .. } if path.starts_with("store/"))
}

/// Whether the suite can run here; where everything is required it must.
fn can_trace() -> bool {
    let Some(why) = trace::unavailable() else { return true };
    let must = std::env::var("FIELDCHECK_REQUIRE").is_ok_and(|value| value == "all");
    assert!(!must, "no program can be traced here: {why}");
    println!("crash tests are left out, no program can be traced here: {why}");
    false
}

#[test]
fn a_cut_while_a_list_is_installed_leaves_the_old_or_the_new_one() {
    if can_trace() {
        cut_everywhere(&new_list());
    }
}

#[test]
fn a_cut_while_a_register_is_installed_leaves_the_old_or_the_new_one() {
    if can_trace() {
        cut_everywhere(&new_register());
    }
}

#[test]
fn a_cut_while_a_first_list_is_installed_leaves_none_or_the_whole() {
    if can_trace() {
        cut_everywhere(&first_list());
    }
}

#[test]
fn a_cut_while_a_list_is_changed_leaves_it_as_before_or_changed() {
    if can_trace() {
        cut_everywhere(&changed_list());
    }
}

#[test]
fn a_cut_while_a_register_is_changed_leaves_it_as_before_or_changed() {
    if can_trace() {
        cut_everywhere(&changed_register());
    }
}

#[test]
fn a_cut_while_a_list_replaces_changes_leaves_the_old_or_the_new_one() {
    if can_trace() {
        cut_everywhere(&list_over_changes());
    }
}

#[test]
fn a_cut_while_notices_are_withdrawn_leaves_all_or_none_of_them() {
    if can_trace() {
        cut_everywhere(&withdrawn());
    }
}

#[test]
fn a_cut_while_keys_are_handed_over_leaves_the_old_or_the_new_ones() {
    if can_trace() {
        cut_everywhere(&new_keys());
    }
}

#[test]
fn a_cut_while_an_epoch_begins_leaves_the_old_or_the_new_one() {
    if can_trace() {
        cut_everywhere(&new_epoch());
    }
}

#[test]
fn a_cut_while_a_cut_installation_goes_on_leaves_the_old_or_the_new_register() {
    if can_trace() {
        cut_everywhere(&register_begun_again());
    }
}

fn cut_everywhere(scenario: &Scenario) {
    let began = Instant::now();
    let all = Images::of(scenario, &scenario.trace.operations);
    let chosen = all.choose(number_in("FIELDCHECK_CUTS", CUTS));
    let violations = check_all(scenario, &scenario.trace.operations, &chosen, usize::MAX);
    let operations = scenario.trace.operations.len();
    println!(
        "{}: {operations} cut points, {} ways to fail, {} different devices, {} tried, {:.1} s",
        scenario.name,
        all.ways,
        all.different.len(),
        chosen.len(),
        began.elapsed().as_secs_f32()
    );
    assert!(operations > 50, "only {operations} operations were recorded");
    assert!(all.different.len() > 200, "only {} different devices", all.different.len());
    assert!(violations.is_empty(), "{}:\n{}", violations.len(), violations.join("\n"));
}

/// The number that a variable holds; `all` is all.
fn number_in(variable: &str, otherwise: usize) -> usize {
    match std::env::var(variable) {
        Err(_) => otherwise,
        Ok(value) if value == "all" => usize::MAX,
        Ok(value) => value.parse().unwrap_or_else(|_| panic!("{variable}={value}")),
    }
}

/// Every device that a cut can leave, each once.
struct Images {
    ways: usize,
    /// The first cut that leaves it, and what tells it from others.
    different: Vec<(Cut, [u8; 32])>,
}

impl Images {
    fn of(scenario: &Scenario, operations: &[Operation]) -> Images {
        let (mut ways, mut seen, mut different) = (0, HashSet::new(), Vec::new());
        let seed = seed();
        replay(scenario, operations, |disks, after| {
            for cut in Cut::all(after) {
                ways += 1;
                let hash = disks.of(cut).image(cut, seed).hash();
                if seen.insert(hash) {
                    different.push((cut, hash));
                }
            }
        });
        Images { ways, different }
    }

    /// At most `most` of them, spread evenly over the installation.
    fn choose(&self, most: usize) -> Vec<Cut> {
        let count = self.different.len();
        if most >= count {
            return self.different.iter().map(|(cut, _)| *cut).collect();
        }
        let mut random = Random::new(seed());
        (0..most)
            .map(|at| {
                let (first, end) = (at * count / most, (at + 1) * count / most);
                self.different[first + random.below((end - first) as u64) as usize].0
            })
            .collect()
    }

    /// Those that are not among `others`.
    fn without(&self, others: &Images) -> Vec<Cut> {
        let others: HashSet<[u8; 32]> = others.different.iter().map(|(_, hash)| *hash).collect();
        let own = self.different.iter().filter(|(_, hash)| !others.contains(hash));
        own.map(|(cut, _)| *cut).collect()
    }
}

/// The same device on both file systems.
struct Disks([Disk; 2]);

impl Disks {
    fn of(&self, cut: Cut) -> &Disk {
        match cut.names {
            Names::Journalled => &self.0[0],
            Names::Loose => &self.0[1],
        }
    }
}

/// Does the operations one by one, and calls `at` before the first and after each.
fn replay(scenario: &Scenario, operations: &[Operation], mut at: impl FnMut(&Disks, usize)) {
    let before = scenario.before().device();
    let mut disks = Disks([Names::Journalled, Names::Loose].map(|it| Disk::holding(&before, it)));
    at(&disks, 0);
    for (done, operation) in operations.iter().enumerate() {
        disks.0.iter_mut().for_each(|disk| disk.apply(operation));
        at(&disks, done + 1);
    }
}

/// Starts the device after each of `cuts` and tells what was amiss, until `most` were.
fn check_all(
    scenario: &Scenario,
    operations: &[Operation],
    cuts: &[Cut],
    most: usize,
) -> Vec<String> {
    let workers = std::thread::available_parallelism().map_or(1, |count| count.get());
    let (violations, count) = (Mutex::new(Vec::new()), AtomicUsize::new(0));
    let seed = seed();
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (violations, count) = (&violations, &count);
            scope.spawn(move || {
                let folder = scratch();
                let place = Place::new(folder.path());
                let mut own = cuts.iter().enumerate().skip(worker).step_by(workers).peekable();
                replay(scenario, operations, |disks, after| {
                    while let Some((at, cut)) = own.next_if(|(_, cut)| cut.after == after) {
                        if count.load(Ordering::Relaxed) >= most {
                            return;
                        }
                        disks.of(*cut).image(*cut, seed).write(&place.device());
                        let promised: Vec<String> = promises(&operations[..after]).collect();
                        let mends = at % MENDED_OF == 0;
                        if let Err(why) = scenario.check(&place, Run::Recorded, &promised, mends) {
                            count.fetch_add(1, Ordering::Relaxed);
                            let next = operations.get(after).map(shown).unwrap_or_default();
                            let told = format!("{cut:?}, before {next}, {promised:?}: {why}");
                            violations.lock().unwrap().push(told);
                        }
                    }
                });
            });
        }
    });
    violations.into_inner().unwrap()
}

fn promises(operations: &[Operation]) -> impl Iterator<Item = String> {
    operations.iter().filter_map(|operation| match operation {
        Operation::Promise(what) => Some(what.clone()),
        _ => None,
    })
}

/// An operation without the bytes that it writes.
fn shown(operation: &Operation) -> String {
    match operation {
        Operation::Write { path, at, bytes } => {
            format!("{} bytes at {at} into {path}", bytes.len())
        }
        other => format!("{other:?}"),
    }
}

/// A program that is less careful than ours.
struct Careless {
    what: &'static str,
    /// Whether it does without this operation.
    leaves_out: fn(&Operation) -> bool,
}

const CARELESS: &[Careless] = &[
    Careless {
        what: "it does not wait for the new database to reach the disk",
        leaves_out: |it| matches!(it, Operation::Sync { path } if path.starts_with("store/")),
    },
    Careless {
        what: "it does not wait for the new name to reach the disk",
        leaves_out: |it| matches!(it, Operation::SyncFolder { path } if path == "store"),
    },
    Careless {
        what: "it says that it is installed before the switch has reached the disk",
        leaves_out: |it| matches!(it, Operation::Sync { path } if path.starts_with("state.db")),
    },
    Careless {
        what: "it does not wait for the vault",
        leaves_out: |it| matches!(it, Operation::Sync { path } if path.starts_with("vault.fck")),
    },
    Careless {
        what: "it says that a record is kept before it has reached the disk",
        leaves_out: |it| matches!(it, Operation::Sync { path } if path.starts_with("queue.db")),
    },
];

#[test]
fn the_checks_find_what_a_careless_program_loses() {
    if !can_trace() {
        return;
    }
    let scenario = new_list();
    let careful = Images::of(&scenario, &scenario.trace.operations);
    for Careless { what, leaves_out } in CARELESS {
        let mut operations = scenario.trace.operations.clone();
        operations.retain(|operation| !leaves_out(operation));
        let left_out = scenario.trace.operations.len() - operations.len();
        assert!(left_out > 0, "{what}: it does so");
        // Devices that the careful program leaves as well are known to be whole.
        let own = Images::of(&scenario, &operations).without(&careful);
        let found = check_all(&scenario, &operations, &own, 1);
        println!("{what}: {}", found.first().map_or("", String::as_str));
        assert!(!found.is_empty(), "nothing was found amiss, though {what}");
    }
}

#[test]
fn a_program_killed_at_any_moment_leaves_the_old_or_the_new_list() {
    if !can_trace() {
        return;
    }
    let scenarios = [new_list(), new_register()];
    let (folder, mut random) = (scratch(), Random::new(seed()));
    // How long each takes when nothing stops it.
    let whole = scenarios.each_ref().map(|scenario| {
        let place = scenario.before().copied_to(&folder.path().join("whole"));
        let mut process = place.start();
        let unlocking = until_unlocked(&place);
        let began = Instant::now();
        assert!(process.wait().unwrap().success());
        (unlocking, began.elapsed())
    });

    let mut met: BTreeMap<String, usize> = BTreeMap::new();
    for kill in 0..number_in("FIELDCHECK_KILLS", KILLS) {
        let scenario = &scenarios[kill % scenarios.len()];
        let (unlocking, installing) = whole[kill % scenarios.len()];
        let place = scenario.before().copied_to(&folder.path().join("killed"));
        let mut process = place.start();
        // One of eight while it unlocks, the others somewhere in the installation.
        if random.below(8) == 0 {
            std::thread::sleep(unlocking * random.below(1_000) as u32 / 1_000);
        } else {
            until_unlocked(&place);
            std::thread::sleep(installing * random.below(1_000) as u32 / 1_000);
        }
        // Dead by then or not: both are what a kill can find.
        process.kill().unwrap();
        let status = process.wait().unwrap();
        let promised = place.promises();
        let last = promised.last().map_or("nothing", |promise| promise.split(' ').next().unwrap());
        *met.entry(last.to_owned()).or_default() += 1;
        if status.success() {
            assert_eq!(last, "locked", "kill {kill}: it ended and had not told everything");
        }
        let outcome = scenario.check(&place, Run::Another, &promised, random.below(4) == 0);
        let name = scenario.name;
        assert_eq!(outcome, Ok(()), "kill {kill} of {name}, when {promised:?} was promised");
    }
    println!("killed after the promise of: {met:?}");
}

/// Waits until the program has unlocked the device, and says how long that took.
fn until_unlocked(place: &Place) -> Duration {
    let began = Instant::now();
    while place.promises().is_empty() {
        assert!(began.elapsed() < PATIENCE, "it does not unlock");
        std::thread::sleep(Duration::from_micros(200));
    }
    began.elapsed()
}

/// An error that a disk gives, and the calls that give it.
const ERRORS: &[(&str, &[&str])] = &[
    ("ENOSPC", &["pwrite64", "write", "openat", "rename", "fsync", "fdatasync", "ftruncate"]),
    (
        "EIO",
        &["pwrite64", "write", "openat", "rename", "fsync", "fdatasync", "ftruncate", "unlink"],
    ),
];

/// Failing calls that are tried, unless `FIELDCHECK_CUTS` says otherwise.
const FAILING_CALLS: usize = 60;

#[test]
fn a_disk_that_fails_or_is_full_leaves_the_old_or_the_new_list() {
    if !can_trace() {
        return;
    }
    let scenarios = [new_list(), changed_register()];
    let mut failing = Vec::new();
    for scenario in &scenarios {
        for (error, names) in ERRORS {
            let calls = scenario.trace.calls.iter();
            let calls = calls.filter(|(name, _)| names.contains(&name.as_str()));
            failing.extend(calls.map(|(name, which)| (scenario, *error, name, *which)));
        }
    }
    let most = number_in("FIELDCHECK_CUTS", FAILING_CALLS).min(failing.len());
    let mut random = Random::new(seed());
    let chosen = (0..most).map(|at| {
        let (first, end) = (at * failing.len() / most, (at + 1) * failing.len() / most);
        failing[first + random.below((end - first) as u64) as usize]
    });

    let folder = scratch();
    let (mut met, mut violations): (BTreeMap<String, usize>, _) = (BTreeMap::new(), Vec::new());
    for (at, (scenario, error, name, which)) in chosen.enumerate() {
        let place = scenario.before().copied_to(&folder.path().join("failing"));
        let inject = format!("inject={name}:error={error}:when={which}");
        let output = trace::strace(&place.log(), &["-e", &inject], &place.program());
        let ended = Ended::of(&output);
        let log = std::fs::read_to_string(place.log()).unwrap();
        let what = format!("{}, {error} of {name} number {which}", scenario.name);
        assert!(log.contains("(INJECTED)"), "{what}: it was not made to fail");
        let promised = place.promises();
        match &ended {
            Ended::Installed => *met.entry("installed".to_owned()).or_default() += 1,
            Ended::Refused(why) => *met.entry(why.clone()).or_default() += 1,
            Ended::Died(how) => {
                violations.push(format!("{what}: the program died: {how}"));
                continue;
            }
        }
        if let Err(why) = scenario.check(&place, Run::Another, &promised, at % 2 == 0) {
            violations.push(format!("{what}, {ended:?}, {promised:?}: {why}"));
        }
    }
    println!("{most} failing calls of {}: {met:#?}", failing.len());
    assert!(violations.is_empty(), "{}:\n{}", violations.len(), violations.join("\n"));
}
