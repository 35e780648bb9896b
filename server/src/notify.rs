//! Keyspace events: what happens to keys, told on channels, if the settings ask for it. Which event a change is follows from
//! what happened and from the command that did it, unless that says otherwise; the change log has both.
//!
//! A change is told while its shards are locked, so that the events of a key stand in the order in which they came about.

use shardis_storage::{Change, Event, Notice, What};

use crate::client::inbox::Wakes;
use crate::command::Category;
use crate::command::event;
use crate::command::table::Entry;
use crate::config::EventClasses;
use crate::state::State;

/// Tells what a change is to those who listen to events.
pub fn tell(state: &State, change: &Change, wakes: &mut Wakes) {
    let classes = EventClasses(state.config.notify_keyspace_events.value() as u32);
    if !classes.tell() {
        return;
    }
    let told = Told { state, change, classes };
    if change.what == What::Created {
        told.event(event::NEW.name, event::NEW.class, wakes);
    }
    match change.notice {
        Notice::Silent => {}
        Notice::Event(event) => told.event(event.name, event.class, wakes),
        Notice::Usual => told.usual(wakes),
    }
}

/// A change that is told.
struct Told<'t> {
    state: &'t State,
    change: &'t Change,
    classes: EventClasses,
}

impl Told<'_> {
    fn usual(&self, wakes: &mut Wakes) {
        let event: &Event = match self.change.what {
            What::Created | What::Modified | What::Overwritten => {
                let entry = &self.state.commands.entries()[usize::from(self.change.cause)];
                return self.event(&entry.event_name, class(entry), wakes);
            }
            What::Deadline => &event::TO_EXPIRE,
            What::DeadlineLost => &event::NOT_TO_EXPIRE,
            What::Removed => &event::DELETED,
            What::FieldsExpired => &event::FIELDS_EXPIRED,
            What::Expired => &event::EXPIRED,
            What::Evicted => &event::EVICTED,
            What::Missed => &event::KEY_MISS,
            What::Told | What::Flushed | What::Swapped => return,
        };
        self.event(event.name, event.class, wakes);
    }

    fn event(&self, name: &str, class: u32, wakes: &mut Wakes) {
        if !self.classes.has(class) {
            return;
        }
        let (state, Change { db, key, .. }) = (self.state, self.change);
        let mut publish = |kind: &str, of: &[u8], message: &[u8]| {
            let channel = [format!("__{kind}@{}__:", db.0).as_bytes(), of].concat();
            state.pubsub.publish(state, &channel, message, wakes);
        };
        if self.classes.has(EventClasses::BY_KEY) {
            publish("keyspace", key, name.as_bytes());
        }
        if self.classes.has(EventClasses::BY_EVENT) {
            publish("keyevent", name.as_bytes(), key);
        }
    }
}

/// The class of the events of a command: that of the values it is about.
fn class(entry: &Entry) -> u32 {
    match entry.family.category {
        Category::STRING | Category::BITMAP | Category::HYPERLOGLOG => EventClasses::STRING,
        Category::LIST => EventClasses::LIST,
        Category::SET => EventClasses::SET,
        Category::HASH => EventClasses::HASH,
        Category::SORTED_SET | Category::GEO => EventClasses::SORTED_SET,
        Category::STREAM => EventClasses::STREAM,
        Category::LOCK => EventClasses::OTHER,
        _ => EventClasses::GENERIC,
    }
}
