//! What do whole expansions look like?

use proc_macro2::TokenStream;
use quote::quote;

use crate::event::expand_event;
use crate::job::expand_job;

fn pretty(tokens: TokenStream) -> String {
    prettyplease::unparse(&syn::parse2(tokens).expect("an expansion is a sequence of items"))
}

#[test]
fn an_event_with_everything() {
    let args = quote!("move.pickup.successful", on_undecided = "fire", ordered);
    let item = quote! {
        /// The vehicle was handed over to the driver.
        ///
        /// Not to the warehouse.
        pub mod successful {
            use super::*;

            fn detect(change: &Change) -> bool {
                change.is_update() && !change.query("$.after.items[?@.qty > 3]").is_empty()
            }

            fn jobs(change: &Change) -> Vec<Job> {
                vec![publish_event_log(change.user()), jobs::rerun_ar(change.after("id").as_i64()).named("Job 1")]
            }
        }
    };

    insta::assert_snapshot!(pretty(expand_event(args, item)));
}

#[test]
fn an_event_with_only_detect_and_another_crate() {
    let args = quote!("move.deleted", crate = my::event_detector);
    let item = quote! {
        mod deleted {
            fn detect(change: &my::event_detector::Change) -> bool {
                change.is_delete()
            }
        }
    };

    insta::assert_snapshot!(pretty(expand_event(args, item)));
}

#[test]
fn an_event_with_a_mistake_keeps_its_module() {
    let item = quote! {
        pub mod successful {
            fn detects(change: &Change) -> bool {
                change.is_update()
            }
        }
    };

    insta::assert_snapshot!(pretty(expand_event(quote!("Move.Done"), item)));
}

#[test]
fn a_job_with_everything() {
    let args = quote!(timeout = "1m30s", retries = 3, effect = "once", skip(token));
    let item = quote! {
        /// Runs accounts receivable for one move again.
        #[tracing::instrument]
        pub async fn rerun_ar(cx: JobContext, move_id: Option<i64>, mut token: String) -> anyhow::Result<String> {
            let client = cx.state::<reqwest::Client>()?;
            charge(client, move_id, token).await
        }
    };

    insta::assert_snapshot!(pretty(expand_job(args, item)));
}

#[test]
fn a_generic_job_without_arguments_of_the_attribute() {
    let item = quote! {
        async fn publish<T: Serialize>(_: JobContext, body: T) -> anyhow::Result<()>
        where
            T: Clone + Send + Sync + 'static,
        {
            Ok(())
        }
    };

    insta::assert_snapshot!(pretty(expand_job(TokenStream::new(), item)));
}

#[test]
fn a_job_with_a_mistake_in_its_signature_can_still_be_called() {
    let item = quote! {
        pub async fn publish(cx: JobContext, body: &str) -> anyhow::Result<()> {
            Ok(())
        }
    };

    insta::assert_snapshot!(pretty(expand_job(TokenStream::new(), item)));
}

#[test]
fn whatever_is_given_is_given_back() {
    let items = [
        quote!(
            pub mod elsewhere;
        ),
        quote!(
            fn f() {}
        ),
        quote!(
            struct S;
        ),
        quote!(mod broken { fn }),
        quote!(1 + 1),
        TokenStream::new(),
    ];

    for item in items {
        for args in [
            quote!("a.b"),
            quote!(),
            quote!(= = =),
            quote!("a" "b"),
            quote!(timeout),
            quote!(effect),
            quote!(skip()),
            quote!(a::b = 1),
        ] {
            for expansion in [expand_event(args.clone(), item.clone()), expand_job(args.clone(), item.clone())] {
                let text = expansion.to_string();

                assert!(text.contains(&item.to_string()) && text.contains("compile_error"), "{args}: {text}");
            }
        }
    }
}
