//! The words in which LATENCY DOCTOR speaks, which are those of the imitated server. What it has to say is told in
//! `observe::doctor`.

/// In whose words the report is.
#[derive(Debug)]
pub struct Voice {
    /// The server's name for people.
    pub server: &'static str,
    /// Nothing was observed, because nobody was to observe.
    pub is_off: &'static str,
    /// Nothing was observed.
    pub all_is_well: &'static str,
    /// Before what was observed.
    pub greeting: &'static str,
    /// Before the advice.
    pub before_advice: &'static str,
}

/// Redis's.
pub const REDIS: Voice = Voice {
    server: "Redis",
    is_off: "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Redis instance. You may use \"CONFIG \
             SET latency-monitor-threshold <milliseconds>.\" in order to enable it. If we weren't in a deep space mission \
             I'd suggest to take a look at https://redis.io/topics/latency-monitor.\n",
    all_is_well: "Dave, no latency spike was observed during the lifetime of this Redis instance, not in the slightest \
                  bit. I honestly think you ought to sit down calmly, take a stress pill, and think things over.\n",
    greeting: "Dave, I have observed latency spikes in this Redis instance. You don't mind talking about it, do you Dave?",
    before_advice: "I have a few advices for you:",
};

/// Valkey's.
pub const VALKEY: Voice = Voice {
    server: "Valkey",
    is_off: "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this Valkey instance. You may use \"CONFIG \
             SET latency-monitor-threshold <milliseconds>.\" in order to enable it.\n",
    all_is_well: "No latency spike was observed during the lifetime of this Valkey instance, not in the slightest bit.\n",
    greeting: "Latency spikes are observed in this Valkey instance.",
    before_advice: "Here is some advice for you:",
};
