//! The endpoints.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};

use super::{Admin, document, guard, page};
use crate::status::Readiness;

/// Prometheus' text format.
const EXPOSITION: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All endpoints. Requests carry the address of their peer, or are taken for those of another machine.
pub fn router(admin: Arc<Admin>) -> Router {
    let debug = Router::new()
        .route("/", get(home))
        .route("/debug/wasm", get(wasm))
        .route("/debug/ecds", get(ecds))
        .route("/debug/config", get(configuration))
        .route_layer(from_fn_with_state(Arc::clone(&admin), guard::debug));
    let control = Router::new().route("/quitquitquit", post(quit)).route_layer(from_fn(guard::control));
    Router::new()
        .route("/healthz/ready", get(ready))
        .route("/stats/prometheus", get(metrics))
        .route("/metrics", get(metrics))
        .merge(debug)
        .merge(control)
        .fallback(nothing)
        .layer(from_fn_with_state(Arc::clone(&admin), guard::host))
        .with_state(admin)
}

async fn nothing() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "there is nothing here; / has links to what there is\n")
}

async fn ready(State(admin): State<Arc<Admin>>) -> Response {
    if admin.quit.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "the agent is about to end\n").into_response();
    }
    match admin.board.readiness() {
        Readiness::Ready => "ready\n".into_response(),
        Readiness::NotListening => {
            (StatusCode::SERVICE_UNAVAILABLE, "the xDS proxy does not listen\n").into_response()
        }
        Readiness::Waiting(names) => {
            // Names are the control plane's: quoted, so that each stays within its line.
            let text = format!("resources without an answer: {names:?}\n");
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let text = admin.metrics.exposition(&admin.board, admin.options.metrics_resources);
    ([(header::CONTENT_TYPE, EXPOSITION)], text)
}

async fn wasm(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    Json(document::wasm(&admin.board.all(), &admin.inventory.modules(), SystemTime::now()))
}

async fn ecds(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    Json(document::ecds(admin.board.history()))
}

async fn configuration(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    Json(document::configuration(&admin.configuration))
}

async fn home(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_SECURITY_POLICY, page::policy()),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (header::REFERRER_POLICY, "no-referrer".to_owned()),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
    ];
    (headers, page::render(&admin, SystemTime::now()))
}

async fn quit(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    tracing::info!("asked to end by /quitquitquit");
    admin.quit.cancel();
    "ending\n"
}
