//! What a guard adds to the description of an API.

use utoipa::ToSchema;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Components, Content, OpenApi, Ref, RefOr, Response, ResponseBuilder};

use crate::http::Problem;

const SCHEME: &str = "bearer";

/// Describes guarded routes: their token, and the 401 that each answers to a wrong one.
pub fn describe(openapi: &mut OpenApi) {
    // Without one too: what development lets in.
    let none: [&str; 0] = [];
    add(openapi, vec![SecurityRequirement::new(SCHEME, none), SecurityRequirement::default()]);
}

/// The same for routes that need a token in development too.
pub fn describe_strict(openapi: &mut OpenApi) {
    let none: [&str; 0] = [];
    add(openapi, vec![SecurityRequirement::new(SCHEME, none)]);
}

fn add(openapi: &mut OpenApi, security: Vec<SecurityRequirement>) {
    let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components = openapi.components.get_or_insert_with(Components::new);
    components.add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    for operation in openapi.paths.paths.values_mut().flat_map(operations) {
        operation.security = Some(security.clone());
        let responses = &mut operation.responses.responses;
        responses.entry("401".to_owned()).or_insert_with(|| RefOr::T(refused()));
    }
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem { get, put, post, delete, options, head, patch, trace, .. } = path;
    [get, put, post, delete, options, head, patch, trace].into_iter().flatten()
}

fn refused() -> Response {
    let problem = Content::new(Some(RefOr::Ref(Ref::from_schema_name(Problem::name()))));
    ResponseBuilder::new()
        .description("The access token is missing, not valid, or of a session that has ended")
        .content(Problem::MEDIA_TYPE, problem)
        .build()
}
