//! What a process has counted, as Prometheus reads it (`OpenMetrics` text).
//!
//! Labels are the names of workers, queues, services and kinds of calls: all from fixed lists, none from bags.

use std::collections::BTreeMap;
use std::fmt;

use muniment_meter::{Jobs, LATENCY_BOUNDS, Meter, Meters, Service, Tally};
use muniment_model::QueueName;
use muniment_work::Backlog;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

/// `Content-Type` of [`text_of`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What is known of the queues; nothing when the work store did not answer.
pub(crate) type Backlogs = Option<BTreeMap<QueueName, Backlog>>;

/// All metrics of a process.
pub(crate) fn text_of(meters: &Meters, backlogs: Backlogs) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("muniment");
    registry.register_collector(Box::new(Snapshot {
        meters: meters.all(),
        backlogs,
    }));
    let mut answer = String::new();
    text::encode(&mut answer, &registry)?;
    Ok(answer)
}

#[derive(Debug)]
struct Snapshot {
    meters: BTreeMap<&'static str, Meter>,
    backlogs: Backlogs,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        self.jobs(&mut encoder)?;
        self.calls(&mut encoder)?;
        self.latencies(&mut encoder)?;
        self.queues(&mut encoder)
    }
}

/// A name, what it is, and its values with their labels.
struct Family {
    name: &'static str,
    help: &'static str,
    rows: Vec<Row>,
}

type Labels = Vec<(&'static str, String)>;
type Row = (Labels, u64);

/// Values that only rise.
fn counter(encoder: &mut DescriptorEncoder, family: Family) -> Result<(), fmt::Error> {
    let Family { name, help, rows } = family;
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for (labels, value) in rows {
        metric
            .encode_family(&labels)?
            .encode_counter::<NoLabelSet, _, u64>(&value, None)?;
    }
    Ok(())
}

/// Values as they are now.
fn gauge(encoder: &mut DescriptorEncoder, family: Family) -> Result<(), fmt::Error> {
    let Family { name, help, rows } = family;
    let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (labels, value) in rows {
        // Prometheus knows signed and floating numbers only.
        let value = i64::try_from(value).unwrap_or(i64::MAX);
        if labels.is_empty() {
            metric.encode_gauge(&value)?;
        } else {
            metric.encode_family(&labels)?.encode_gauge(&value)?;
        }
    }
    Ok(())
}

impl Snapshot {
    fn jobs(&self, encoder: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let of_jobs = |name, help, value: fn(&Jobs) -> u64| Family {
            name,
            help,
            rows: self.of_workers(value),
        };
        let help = "Jobs a worker does at a time";
        gauge(encoder, of_jobs("jobs_max", help, |jobs| jobs.at_a_time))?;
        let help_of_running = "Jobs being done";
        let running = of_jobs("jobs_running", help_of_running, |jobs| jobs.running);
        gauge(encoder, running)?;
        let counted: [(&str, &str, Count); 4] = [
            ("attempts", "Claims, each of them an attempt", |jobs| {
                jobs.attempts
            }),
            (
                "leases_lost",
                "Jobs dropped because their lease was lost",
                |jobs| jobs.leases_lost,
            ),
            (
                "batch_files",
                "Files of batches that were completed",
                |jobs| jobs.batch_files,
            ),
            (
                "batch_bytes",
                "Bytes of batches that were completed",
                |jobs| jobs.batch_bytes,
            ),
        ];
        for (name, help_of_this, value) in counted {
            counter(encoder, of_jobs(name, help_of_this, value))?;
        }
        counter(encoder, self.endings())
    }

    fn of_workers(&self, value: fn(&Jobs) -> u64) -> Vec<Row> {
        let rows = self.meters.iter();
        let rows = rows.map(|(worker, meter)| (of_worker(worker), value(&meter.jobs())));
        rows.collect()
    }

    fn endings(&self) -> Family {
        let mut rows = Vec::new();
        for (worker, meter) in &self.meters {
            for (ending, ended) in meter.jobs().endings {
                let mut labels = of_worker(worker);
                labels.push(("ending", ending.to_owned()));
                rows.push((labels, ended));
            }
        }
        Family {
            name: "endings",
            help: "Jobs by how they ended",
            rows,
        }
    }

    fn calls(&self, encoder: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let outcomes: [Part; 2] = [
            ("ok", |tally| tally.calls.saturating_sub(tally.failed)),
            ("failed", |tally| tally.failed),
        ];
        let calls = Family {
            name: "calls",
            help: "Requests to other services, repeated ones included",
            rows: self.of_calls("outcome", outcomes),
        };
        let directions: [Part; 2] = [
            ("sent", |tally| tally.sent_bytes),
            ("received", |tally| tally.received_bytes),
        ];
        let bytes = Family {
            name: "call_bytes",
            help: "Bytes of bodies of these requests and their answers",
            rows: self.of_calls("direction", directions),
        };
        counter(encoder, calls)?;
        counter(encoder, bytes)
    }

    fn of_calls(&self, label: &'static str, parts: [Part; 2]) -> Vec<Row> {
        let kinds = self.meters.iter().flat_map(|(worker, meter)| {
            let services = meter.counts().into_iter();
            services.flat_map(move |(service, kinds)| {
                let kinds = kinds.into_iter();
                kinds.map(move |(kind, tally)| (of_call(worker, service, kind), tally))
            })
        });
        let rows = kinds.flat_map(|(labels, tally)| {
            parts.map(|(part, value)| {
                let mut labels = labels.clone();
                labels.push((label, part.to_owned()));
                (labels, value(&tally))
            })
        });
        rows.collect()
    }

    fn latencies(&self, encoder: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let help = "How long these requests took";
        let unit = Some(&Unit::Seconds);
        let mut metric = encoder.encode_descriptor("call", help, unit, MetricType::Histogram)?;
        for (worker, meter) in &self.meters {
            for (service, kinds) in meter.latencies() {
                for (kind, latency) in kinds {
                    let ends = LATENCY_BOUNDS.into_iter().chain([f64::MAX]);
                    let classes: Vec<(f64, u64)> = ends.zip(latency.classes).collect();
                    let seconds = latency.total.as_secs_f64();
                    let labels = of_call(worker, service, kind);
                    metric
                        .encode_family(&labels)?
                        .encode_histogram::<NoLabelSet>(seconds, latency.calls(), &classes, None)?;
                }
            }
        }
        Ok(())
    }

    fn queues(&self, encoder: &mut DescriptorEncoder) -> Result<(), fmt::Error> {
        let known = Family {
            name: "backlog_known",
            help: "Whether the work store told what is in the queues",
            rows: vec![(Vec::new(), u64::from(self.backlogs.is_some()))],
        };
        let messages = Family {
            name: "backlog_messages",
            help: "Messages in the queues: to be claimed, being worked on, and put off",
            rows: self.messages(),
        };
        let bytes = Family {
            name: "backlog_bytes",
            help: "Bytes of the work in the queues",
            rows: self.of_queues(|backlog| backlog.size_bytes),
        };
        let files = Family {
            name: "backlog_files",
            help: "Files of the batches in the queues",
            rows: self.of_queues(|backlog| backlog.files),
        };
        let mut all = [known, messages, bytes, files].into_iter();
        all.try_for_each(|family| gauge(encoder, family))
    }

    fn messages(&self) -> Vec<Row> {
        let states: [State; 3] = [
            ("ready", |backlog| backlog.ready),
            ("leased", |backlog| backlog.leased),
            ("due", |backlog| backlog.due),
        ];
        let rows = self.backlogs.iter().flatten().flat_map(|(queue, backlog)| {
            states.map(|(state, value)| {
                let labels = vec![("queue", queue.to_string()), ("state", state.to_owned())];
                (labels, value(backlog))
            })
        });
        rows.collect()
    }

    fn of_queues(&self, value: fn(&Backlog) -> u64) -> Vec<Row> {
        let rows = self.backlogs.iter().flatten();
        let rows =
            rows.map(|(queue, backlog)| (vec![("queue", queue.to_string())], value(backlog)));
        rows.collect()
    }
}

fn of_worker(worker: &str) -> Labels {
    vec![("worker", worker.to_owned())]
}

fn of_call(worker: &str, service: Service, kind: String) -> Labels {
    let mut labels = of_worker(worker);
    labels.push(("service", word(service).to_owned()));
    labels.push(("kind", kind));
    labels
}

/// What is counted of a worker's jobs.
type Count = fn(&Jobs) -> u64;

/// What a message may be in, and how many are.
type State = (&'static str, fn(&Backlog) -> u64);

/// A value of a label, and what is counted under it.
type Part = (&'static str, fn(&Tally) -> u64);

const fn word(service: Service) -> &'static str {
    match service {
        Service::S3 => "s3",
        Service::WorkStore => "work_store",
        Service::Registry => "registry",
    }
}

#[cfg(test)]
mod tests;
