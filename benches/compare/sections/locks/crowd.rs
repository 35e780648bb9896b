//! Clients of locks in the shapes that are compared: one alone, each with a lock of its own, all waiting for the same one, all
//! coming back to the same one at once.

use super::taker::{Taker, Way};
use crate::failure::Failure;
use crate::options::Options;
use crate::server::RunningServer;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How many want the same lock.
pub const CLIENTS: usize = 64;

/// Pairs a second of one client that is alone.
pub fn alone(server: &RunningServer, way: Way, options: &Options) -> Result<Vec<f64>, Failure> {
    let mut taker = Taker::connect(server, way, "alone", 0)?;
    let (begun, mut pairs) = (Instant::now(), 0);
    while begun.elapsed() < options.duration {
        taker.take()?;
        taker.give_back()?;
        pairs += 1;
    }
    Ok(vec![f64::from(pairs) / begun.elapsed().as_secs_f64()])
}

/// Pairs a second, and the server's CPU in microseconds for each, of many clients that have a lock of their own.
pub fn apart(server: &RunningServer, way: Way, options: &Options) -> Result<Vec<f64>, Failure> {
    let connect = |number| Taker::connect(server, way, &format!("apart:{number}"), number);
    let mut takers = (0..CLIENTS).map(connect).collect::<Result<Vec<_>, _>>()?;
    let before_ns = server.cpu_ns()?;
    let (begun, mut pairs) = (Instant::now(), 0);
    while begun.elapsed() < options.duration {
        takers.iter_mut().try_for_each(Taker::ask)?;
        for taker in &mut takers {
            // Nobody else wants it: a refusal would be wrong.
            if taker.is_taken()? {
                pairs += 1;
            }
        }
        takers.iter_mut().try_for_each(Taker::ask_back)?;
        takers.iter_mut().try_for_each(Taker::is_given_back)?;
    }
    let elapsed = begun.elapsed().as_secs_f64();
    let cpu_us = server.cpu_ns()?.saturating_sub(before_ns) as f64 / 1e3;
    Ok(vec![f64::from(pairs) / elapsed, cpu_us / f64::from(pairs)])
}

/// Hand-offs a second while many wait: somebody holds the lock, and from its release on it is counted how long it takes until
/// each of them has had it once.
pub fn hand_offs(server: &RunningServer, way: Way, options: &Options) -> Result<Vec<f64>, Failure> {
    let mut holder = Taker::connect(server, way, CONTENDED, CLIENTS)?;
    let mut takers = contenders(server, way)?;
    let laps = (options.duration.as_secs_f64() * LAPS_PER_SECOND).ceil() as u32;
    let mut spent = Duration::ZERO;
    for _ in 0..laps {
        holder.take()?;
        let (inside, gathering) = (AtomicBool::new(false), Barrier::new(CLIENTS + 1));
        spent += thread::scope(|scope| {
            let waiting = takers.iter_mut().enumerate().map(|(number, taker)| {
                let (inside, gathering) = (&inside, &gathering);
                scope.spawn(move || {
                    gathering.wait();
                    // Clients that know nothing of each other do not try at the same instant.
                    thread::sleep(way.pause() * number as u32 / CLIENTS as u32);
                    visit(taker, inside)?;
                    Ok::<_, Failure>(Instant::now())
                })
            });
            let waiting: Vec<_> = waiting.collect();
            gathering.wait();
            thread::sleep(way.pause() * 2 + GATHERING);
            let begun = Instant::now();
            holder.give_back()?;
            let mut end = begun;
            for client in waiting {
                end = end.max(client.join().expect("invariant: a client does not panic")?);
            }
            Ok::<_, Failure>(end - begun)
        })?;
    }
    Ok(vec![f64::from(laps) * CLIENTS as f64 / spent.as_secs_f64()])
}

/// Pairs a second, and the longest wait in milliseconds, of many clients each of which wants the lock again as soon as it has
/// given it back.
pub fn back_at_once(server: &RunningServer, way: Way, options: &Options) -> Result<Vec<f64>, Failure> {
    let mut takers = contenders(server, way)?;
    let (inside, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let duration = options.busy / BACK_SHARE;
    thread::scope(|scope| {
        let competing = takers.iter_mut().map(|taker| {
            let (inside, over) = (&inside, &over);
            scope.spawn(move || {
                let (mut pairs, mut longest) = (0, Duration::ZERO);
                while !over.load(Ordering::Relaxed) {
                    longest = longest.max(visit(taker, inside)?);
                    pairs += u32::from(!over.load(Ordering::Relaxed));
                }
                Ok::<_, Failure>((pairs, longest))
            })
        });
        let competing: Vec<_> = competing.collect();
        thread::sleep(duration);
        over.store(true, Ordering::Relaxed);
        let (mut pairs, mut longest) = (0, Duration::ZERO);
        for client in competing {
            let (its_pairs, its_longest) = client.join().expect("invariant: a client does not panic")?;
            pairs += its_pairs;
            longest = longest.max(its_longest);
        }
        Ok(vec![f64::from(pairs) / duration.as_secs_f64(), longest.as_secs_f64() * 1e3])
    })
}

fn contenders(server: &RunningServer, way: Way) -> Result<Vec<Taker>, Failure> {
    (0..CLIENTS).map(|number| Taker::connect(server, way, CONTENDED, number)).collect()
}

/// Takes the lock, makes sure that nobody else has it, and gives it back: how long it has waited.
fn visit(taker: &mut Taker, inside: &AtomicBool) -> Result<Duration, Failure> {
    let begun = Instant::now();
    taker.take()?;
    let waited = begun.elapsed();
    let is_alone = !inside.swap(true, Ordering::SeqCst);
    inside.store(false, Ordering::SeqCst);
    taker.give_back()?;
    if is_alone { Ok(waited) } else { Err(taker.is_not_alone()) }
}

const CONTENDED: &str = "contended";
const LAPS_PER_SECOND: f64 = 5.0;
/// Beside the pauses between tries, what all need until they wait.
const GATHERING: Duration = Duration::from_millis(30);
/// Of the time that is taken to watch latency elsewhere.
const BACK_SHARE: u32 = 5;
