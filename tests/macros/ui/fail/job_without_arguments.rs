use event_detector::job;

#[job]
pub async fn rerun() -> std::io::Result<()> {
    Ok(())
}

fn main() {}
