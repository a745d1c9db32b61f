//! Is everything there that watching a MongoDB needs?

use std::fmt::Write as _;

use event_detector_sources::{Finding, Inspection, Level};
use serde_json::json;

use crate::app::Program;
use crate::console::{Form, Look};
use crate::exit::{Exit, Failure};
use crate::settings::{Target, mongodb_failure};
use crate::terminal::{clean, json as json_line, out, say, say_json};

/// Shows what is found of the deployment and of what is to be watched there, and turns images on where that is asked for.
pub(crate) async fn check(mut program: Program, enable_images: bool) -> Result<Exit, Failure> {
    let target = std::mem::take(&mut program.settings.mongodb).reach().await?;
    if enable_images {
        enable(&target, program.options.json).await?;
    }
    let inspection = inspect(&target).await?;
    match Form::choose(&program.options) {
        Form::Json => inspection.findings.iter().for_each(|finding| out(&(json_line(&object(finding)) + "\n"))),
        Form::Quiet(look) | Form::Full(look) => out(&table(&inspection, look)),
    }
    Ok(if inspection.level() == Level::Error { Exit::Config } else { Exit::Success })
}

/// What is found of a deployment.
pub(super) async fn inspect(target: &Target) -> Result<Inspection, Failure> {
    Inspection::of(&target.server, &target.scope, target.images).await.map_err(|error| mongodb_failure(&error))
}

/// Turns images on, and says where.
pub(super) async fn enable(target: &Target, json: bool) -> Result<(), Failure> {
    let enabled = target.server.enable_images(&target.scope).await.map_err(|error| mongodb_failure(&error))?;
    if json {
        say_json(&json!({ "images_enabled": enabled }));
    } else if enabled.is_empty() {
        say("The documents before changes were stored everywhere already.");
    } else {
        say(&format!("From now on the documents before changes are stored: {}.", clean(&enabled.join(", "))));
    }
    Ok(())
}

/// Says on standard error what keeps a change from being told whole, before changes are taken.
pub(super) fn warn(inspection: &Inspection, json: bool) -> Result<(), Failure> {
    for finding in inspection.findings.iter().filter(|finding| finding.level != Level::Good) {
        if json {
            say_json(&json!({ "checked": object(finding) }));
        } else {
            say(lines(finding, Look::Plain).trim_end());
        }
    }
    match inspection.findings.iter().find(|finding| finding.level == Level::Error) {
        Some(finding) => Err(Failure::new(Exit::Config, format!("`{}` {}", finding.subject, finding.message))),
        None => Ok(()),
    }
}

fn object(finding: &Finding) -> serde_json::Value {
    let level = match finding.level {
        Level::Good => "good",
        Level::Warning => "warning",
        Level::Error => "error",
    };
    json!({ "level": level, "subject": finding.subject, "message": finding.message, "cure": finding.cure })
}

fn table(inspection: &Inspection, look: Look) -> String {
    inspection.findings.iter().map(|finding| lines(finding, look)).collect()
}

fn lines(finding: &Finding, look: Look) -> String {
    let sign = match finding.level {
        Level::Good => look.sign("✅ ", "ok       "),
        Level::Warning => look.sign("⚠️  ", "warning  "),
        Level::Error => look.sign("❌ ", "error    "),
    };
    let mut text = format!("{sign}{}: {}\n", look.strong(&clean(&finding.subject)), clean(&finding.message));
    if let Some(cure) = &finding.cure {
        let _infallible = writeln!(text, "   {}", look.dim(&clean(cure)));
    }
    text
}
