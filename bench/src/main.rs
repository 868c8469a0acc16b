//! Warren's open-loop load generator. Not written yet: `./dev bench` says so instead of inventing numbers.

fn main() -> anyhow::Result<()> {
    anyhow::bail!("the benchmark is not written yet; no performance is claimed until it is")
}
