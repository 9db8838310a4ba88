//! What bodies cost.

use proxy_wasm_harness::{Chunks, Costs, budget};

use super::{built_in, of_type, through};

fn cost(content_type: &str, body: &str) -> Costs {
    let host = built_in();
    let response = of_type(content_type, body);
    // A first response makes memory ready that others find ready.
    through(&host, &response, &Chunks::Whole);
    let stream = host.get("/").send();
    stream.respond_cut(&response, &Chunks::Of(16_384));
    println!(
        "{} bytes: {:.2} fuel per byte",
        body.len(),
        stream.costs().total().fuel as f64 / body.len() as f64
    );
    stream.costs()
}

fn lines(line: &str) -> String {
    format!("[{}1]", line.repeat(800))
}

#[test]
fn a_body_costs_no_more_than_its_budget() {
    let clean = lines(r#"{"id": 1234, "name": "a name that is not secret", "tags": ["one", "two"]},"#);
    budget!("sixty_kilobytes_of_clean_json").assert(&cost("application/json", &clean));
    let dirty = lines(r#"{"id": 1234, "name": "a name that is not secret", "password": "hunter2"},"#);
    budget!("sixty_kilobytes_with_800_secrets").assert(&cost("application/json", &dirty));
    let clean = "It is a truth universally acknowledged, that a text of 1813 has few numbers.\n".repeat(800);
    budget!("sixty_kilobytes_of_clean_text").assert(&cost("text/plain", &clean));
    budget!("an_image").assert(&cost("image/png", &clean));
}

#[test]
fn a_callback_reads_the_buffer_once_and_writes_it_at_most_once() {
    let host = built_in();
    for (body, writes) in
        [(lines(r#"{"mail": "ada@example.com"},"#), 1), (lines(r#"{"none": "of them"},"#), 0)]
    {
        let stream = host.get("/").send();
        stream.respond_cut(&of_type("application/json", body), &Chunks::Whole);
        let transcript = stream.transcript();
        assert_eq!(transcript.matches("proxy_get_buffer_bytes").count(), 1);
        assert_eq!(transcript.matches("proxy_set_buffer_bytes").count(), writes);
    }
    let stream = host.get("/").send();
    stream
        .respond_cut(&of_type("text/plain", "ada@example.com bob@example.com ".repeat(100)), &Chunks::Of(7));
    for callback in
        stream.transcript().split("> on_").filter(|callback| callback.starts_with("response_body"))
    {
        assert!(callback.matches("proxy_get_buffer_bytes").count() <= 1, "{callback}");
        assert!(callback.matches("proxy_set_buffer_bytes").count() <= 1, "{callback}");
    }
}
