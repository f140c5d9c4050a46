//! The frame of the live page, which scripts fill. It reserves the space of everything that arrives later, so that nothing
//! moves.

use maud::{DOCTYPE, Markup, html as markup};

use super::files;

/// The accounts whose power is shown: CSS class of the colour, and title.
const POWER: [(&str, &str); 4] =
    [("function", "Functions"), ("runtime", "Runtime"), ("host", "Host"), ("base", "Base")];

/// The rows of the ledger: CSS class of the colour, title, and meaning. The first two make up the account of functions.
const LEDGER: [(&str, &str, &str); 6] = [
    ("function", "Calls", "what function calls used"),
    ("preparing", "Preparing", "compiling, linking and loading functions"),
    ("runtime", "Runtime", "the daemon itself"),
    ("host", "Host", "everything else on this machine"),
    ("base", "Base", "what the machine draws when idle"),
    ("gap", "Gap", "measured while no window was open"),
];

/// The live page around the plain one, which browsers without scripts show.
pub fn page(plain: &Markup, page_key: Option<&str>) -> Markup {
    // Preloaded, so that the browser fetches all modules at once rather than import by import.
    let scripts = markup! {
        @if let Some(page_key) = page_key { meta name="nebula-page" content=(page_key); }
        script src={ (files::FOLDER) "begin.js" } {}
        @for name in files::modules() { link rel="modulepreload" href={ (files::FOLDER) (name) }; }
        script type="module" src={ (files::FOLDER) "main.js" } {}
    };
    markup! {
        (DOCTYPE)
        html lang="en" {
            (head("Joules per call", &scripts))
            body {
                a class="skip" href="#functions" { "Skip to the functions" }
                header {
                    a href="/" { "Nebula" }
                    p class="live" id="status" role="status" { "Connecting…" }
                    button class="live quiet" id="token" type="button" { "Token…" }
                }
                main class="plain" { h1 { "Joules per call" } (plain) }
                main class="live board" {
                    (power())
                    (functions())
                    (try_one())
                    (ledger())
                    (deploy())
                    (calls())
                }
                footer {
                    nav aria-label="The same data for programs" {
                        @for (path, title) in [("/functions", "Functions"), ("/invocations", "Calls"), ("/energy", "Ledger"), ("/metrics", "Metrics"), ("/openapi.json", "API")] {
                            a href=(path) { (title) } " "
                        }
                    }
                }
                (dialogs())
            }
        }
    }
}

fn power() -> Markup {
    markup! {
        section id="power" aria-labelledby="power-title" {
            div class="now" {
                h1 id="power-title" { "Power now" }
                p class="figure" id="watts" { "—" }
                dl class="accounts" {
                    @for (account, title) in POWER {
                        div { dt { i class={ "swatch " (account) } {} (title) } dd id={ "watts-" (account) } { "—" } }
                    }
                }
                div class="source" { p { strong id="nature" { "Loading…" } " " span id="source" {} }}
            }
            figure {
                figcaption {
                    h2 id="chart-title" { "Last minute" }
                    div class="choice" role="group" aria-label="What the chart shows" {
                        button type="button" id="show-functions" aria-pressed="true" { "Functions" }
                        button type="button" id="show-machine" aria-pressed="false" { span class="wide" { "Whole " } "machine" }
                    }
                }
                div id="chart" tabindex="0" role="img" aria-labelledby="chart-title" aria-describedby="chart-text" { p class="faint" id="chart-note" { "Waiting for power readings" } }
                p class="unseen" id="chart-text" { "No power readings yet." }
                p class="unseen" id="chart-said" aria-live="polite" {}
                table id="legend" {
                    caption class="unseen" { "Series in the chart" }
                    thead class="unseen" { tr { th { "Series" } th { "Power" } } }
                    tbody {}
                }
            }
            p class="faint" id="source-details" {}
        }
    }
}

fn functions() -> Markup {
    markup! {
        section id="functions" aria-labelledby="functions-title" {
            div class="bar" {
                h2 id="functions-title" { "Functions " small id="count" {} }
                input id="filter" type="search" placeholder="Filter" aria-label="Filter functions by name" autocomplete="off" spellcheck="false";
            }
            div class="scroll" tabindex="0" role="region" aria-label="Table of functions" {
                table id="table" {
                    thead { tr {
                        th aria-sort="none" { button type="button" data-key="name" { "Function" } }
                        @for (key, title) in [("calls", "Calls"), ("rate", "Calls/s"), ("mean", "J per call")] {
                            th class="number" aria-sort="none" { button type="button" data-key=(key) { (title) } }
                        }
                        th class="number" aria-sort="descending" { button type="button" data-key="joules" { "Energy" } }
                        th class="number" aria-sort="none" { button type="button" data-key="watts" { "Power" } }
                    } }
                    tbody {}
                }
            }
            p id="more" {}
            p class="faint" {
                "Calls, J per call and energy cover " span id="since" { "all calls since the daemon started" } "; calls/s and power, the last "
                "ten seconds."
            }
            div id="broken" role="group" aria-label="Files that failed to load" {}
        }
    }
}

fn try_one() -> Markup {
    markup! {
        section id="try" aria-labelledby="try-title" {
            h2 id="try-title" { "Try a function" }
            p class="facts" id="facts" {}
            form id="call" {
                label for="input" { "Input" }
                textarea id="input" rows="3" spellcheck="false" autocomplete="off" {}
                div class="buttons" { button class="main" { "Call" } small { "or press Ctrl + Enter" } }
            }
            div id="result" aria-live="polite" { p class="faint" { "The response and its energy will appear here." } }
            details id="versions" { summary { "Versions" } div {} }
        }
    }
}

fn deploy() -> Markup {
    markup! {
        section id="deploy" aria-labelledby="deploy-title" {
            h2 id="deploy-title" { "Deploy" }
            form {
                div class="drop" id="drop" {
                    p { "Drop a module here, with its manifest if it has one." }
                    label class="file" { input id="file" type="file" multiple accept=".wasm,.wat,.toml"; span { "Choose files" } }
                    p class="facts" id="chosen" { ".wasm or .wat, and .toml" }
                }
                label for="name" { "Name" }
                div class="buttons" {
                    input id="name" pattern="[a-z0-9][a-z0-9_\\-]{0,62}" required autocomplete="off" spellcheck="false" autocapitalize="none" title="Lower-case letters, digits, - and _";
                    button class="main" { "Deploy" }
                }
            }
            div id="deployed" aria-live="polite" {}
        }
    }
}

fn ledger() -> Markup {
    markup! {
        section id="ledger" aria-labelledby="ledger-title" {
            h2 id="ledger-title" { "Where the joules went" }
            div class="stack" id="stack" role="img" aria-label="No accounts yet" {
                @for (account, _, _) in LEDGER { i class=(account) {} }
            }
            table {
                thead { tr { th { "Account" } th class="number" { "Energy" } th class="number" { "Share" } th class="wide" { "What it is" } } }
                tbody {
                    @for (account, title, meaning) in LEDGER {
                        tr id={ "account-" (account) } {
                            th scope="row" { i class={ "swatch " (account) } {} (title) }
                            td class="number" { "—" } td class="number" { "—" } td class="wide faint" { (meaning) }
                        }
                    }
                }
                tfoot { tr id="account-total" { th scope="row" { "Total" } td class="number" { "—" } td class="number" {} td class="wide faint" { "everything the source counted" } } }
            }
            p id="residual" {}
        }
    }
}

fn calls() -> Markup {
    markup! {
        section id="calls" aria-labelledby="calls-title" {
            h2 id="calls-title" { "Last calls" }
            div class="scroll" tabindex="0" role="region" aria-label="Table of calls" {
                table {
                    thead { tr {
                        th { "Ended" } th { "Function" } th { "Outcome" } th class="number" { "Time" }
                        th class="number" { "Estimated" } th class="number" { "Settled" } th class="number" { abbr title="half width of the 95 % interval" { "±" } }
                    } }
                    tbody { tr { td class="faint" colspan="7" { "No calls yet." } } }
                }
            }
            p class="faint" {
                "A call is estimated when it ends and settled when the windows it ran in close. ± is the half width of its 95 % interval: "
                "it can exceed the energy of a call that uses less than the counter's smallest step."
            }
        }
    }
}

fn dialogs() -> Markup {
    markup! {
        dialog id="confirm" aria-labelledby="confirm-title" {
            form method="dialog" {
                h2 id="confirm-title" { "Are you sure?" }
                p {}
                div class="buttons" { button value="no" { "Cancel" } button class="main" value="yes" { "Yes" } }
            }
        }
        dialog id="token-dialog" aria-labelledby="token-title" {
            form method="dialog" {
                h2 id="token-title" { "Your token" }
                p { "This page keeps the token until you close or reload it, and sends it only to this daemon." }
                label for="token-text" { "Token" }
                input id="token-text" type="password" autocomplete="off" spellcheck="false" placeholder="nebula_…";
                label class="check" {
                    input id="token-remember" type="checkbox";
                    span { "Remember it in this tab. A function's page can read it if you open that page in the same tab." }
                }
                div class="buttons" { button value="cancel" { "Cancel" } button value="forget" { "Forget" } button class="main" value="use" { "Use" } }
            }
        }
    }
}

pub fn head(title: &str, more: &Markup) -> Markup {
    markup! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · Nebula" }
            link rel="icon" href="data:,";
            link rel="stylesheet" href={ (files::FOLDER) "style.css" };
            (more)
        }
    }
}
