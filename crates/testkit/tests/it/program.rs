//! Programs run as processes.

use testkit::Program;

#[tokio::test]
async fn a_program_ends_with_its_own_exit_code_and_its_words_are_kept() {
    let program = Program::cargo_bin("consumer").arg("--help").start().await;
    assert_eq!(program.exit_code().await, 0);
    assert!(!program.is_running());
    let once = program.logs().len();
    program.start_again().await;
    program.exit_code().await;
    assert_eq!(program.logs().len(), 2 * once);
}
