//! The API's description: the gateway's own routes, and the requests that it passes on. What these ask and answer in full is
//! described by the services that they go to.

use http::Method;
use utoipa::openapi::path::{HttpMethod, Operation, OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, Ref, Required, Response, ResponseBuilder,
};
use utoipa::schema;

use crate::routes::FAMILIES;

/// The name of the access token among the description's securities.
const TOKEN: &str = "token";

/// What is answered to whatever is passed on: status, name and meaning.
const REFUSALS: [(&str, &str, &str); 2] = [
    (
        "4XX",
        "Refused",
        "The service refuses it, or the gateway does: 400 if the path or the body cannot be understood, 401 without a valid \
         access token, 408 and 413 if the body is too slow or too large, 429 if this client has sent too many requests",
    ),
    (
        "5XX",
        "Failed",
        "The service failed, or the gateway could not ask it. 503 has had no effect: no instance answers. 502 and 504 may have \
         taken effect: the connection broke before the answer, or that did not come in time",
    ),
];

/// The name of every other answer.
const ANSWERED: &str = "Answered";

type Verb = (Method, HttpMethod);

const GET: Verb = (Method::GET, HttpMethod::Get);
const POST: Verb = (Method::POST, HttpMethod::Post);
const PUT: Verb = (Method::PUT, HttpMethod::Put);
const PATCH: Verb = (Method::PATCH, HttpMethod::Patch);
const DELETE: Verb = (Method::DELETE, HttpMethod::Delete);

/// What the services answer. A test compares it with what those say that are here.
static PASSED_ON: [(&str, &[Verb]); 32] = [
    ("/auth/login", &[POST]),
    ("/auth/logout", &[POST]),
    ("/auth/me", &[GET]),
    ("/auth/refresh", &[POST]),
    ("/auth/register", &[POST]),
    ("/api/users", &[GET, POST]),
    ("/api/users/{id}", &[GET, PUT, DELETE]),
    ("/api/users/{id}/everywhere", &[GET]),
    ("/api/users/{id}/roles", &[PUT]),
    ("/api/records", &[GET, POST]),
    ("/api/records/{srn}", &[GET, DELETE]),
    ("/api/tasks", &[GET]),
    ("/api/tasks/{id}", &[GET]),
    ("/api/tasks/{id}/events", &[GET]),
    ("/api/owners", &[GET, POST]),
    ("/api/owners/{id}", &[GET, PUT, DELETE]),
    ("/api/products", &[GET, POST]),
    ("/api/products/{id}", &[GET, PUT, DELETE]),
    ("/api/products/{id}/image", &[GET, PUT, DELETE]),
    ("/api/products/{id}/stock", &[PATCH]),
    ("/api/orders", &[GET, POST]),
    ("/api/orders/summary", &[GET]),
    ("/api/orders/{id}", &[GET]),
    ("/api/orders/{id}/cancel", &[POST]),
    ("/api/orders/{id}/events", &[GET]),
    ("/api/search", &[GET]),
    ("/api/admin/dead-letters", &[GET]),
    ("/api/admin/dead-letters/{queue}", &[GET]),
    ("/api/admin/dead-letters/{queue}/redrive", &[POST]),
    ("/api/admin/dead-letters/{queue}/purge", &[POST]),
    ("/api/admin/audit", &[GET]),
    ("/api/admin/reindex/{kind}", &[POST]),
];

/// What every description begins with.
pub(crate) fn description() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Warren gateway")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "The one way in. Requests are passed on to services, whose own descriptions say what they ask and answer.",
        ))
        .build();
    let token = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The `access_token` of `POST /auth/login`."))
        .build();
    let components = ComponentsBuilder::new()
        .security_scheme(TOKEN, SecurityScheme::Http(token))
        .responses_from_iter(REFUSALS.map(|(_, name, meaning)| (name, refusal(meaning))))
        .response(ANSWERED, ResponseBuilder::new().description("What the service answers"))
        .build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Adds what is passed on.
pub(crate) fn with_passed_on(mut openapi: OpenApi) -> OpenApi {
    for (path, verbs) in &PASSED_ON {
        for (method, described) in *verbs {
            openapi.paths.add_path_operation(*path, vec![described.clone()], operation(path, method));
        }
    }
    openapi
}

fn operation(path: &str, method: &Method) -> Operation {
    let of_family = |rest: &&str| rest.is_empty() || rest.starts_with('/');
    let (family, rest) = FAMILIES
        .iter()
        .find_map(|family| Some((family, path.strip_prefix(family.public).filter(of_family)?)))
        .expect("whatever is passed on is of a family");
    let service = family.service(method, rest);
    let id = format!("{method}{path}").to_lowercase().replace('/', "_").replace(['{', '}'], "");
    let mut operation = OperationBuilder::new()
        .tag(service)
        .operation_id(Some(id))
        .summary(Some(format!("Passed on to `{service}` as `{method} {}{rest}`", family.upstream)))
        .response("default", Ref::from_response_name(ANSWERED));
    for (status, name, _) in REFUSALS {
        operation = operation.response(status, Ref::from_response_name(name));
    }
    for name in path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')) {
        operation = operation.parameter(parameter(name));
    }
    if matches!(*method, Method::POST | Method::PUT | Method::PATCH) {
        let body = RequestBodyBuilder::new().description(Some("What the service asks for"));
        operation =
            operation.request_body(Some(body.content("application/json", ContentBuilder::new().build()).build()));
    }
    // Where none is needed, one that is sent is passed on.
    if !family.token.is_needed(method) {
        operation = operation.security(SecurityRequirement::default());
    }
    operation.security(SecurityRequirement::new(TOKEN, Vec::<String>::new())).build()
}

fn parameter(name: &str) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(schema!(String)))
        .build()
}

fn refusal(meaning: &str) -> Response {
    let problem = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(meaning).content("application/problem+json", problem).build()
}
