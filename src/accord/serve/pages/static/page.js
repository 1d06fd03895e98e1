// What htmx does not do by itself. No value of the page is ever run or written as HTML here.
"use strict";
(() => {
  const problem = document.getElementById("problem");
  const answer = () => document.getElementById("answer");
  const still = matchMedia("(prefers-reduced-motion: reduce)");

  // Errors: the API's sentence, as text. Those of the counters go away when the counters come again.
  function complain(text, from) {
    problem.textContent = text;
    problem.dataset.from = from;
    problem.hidden = false;
  }

  function sentence(request) {
    try {
      const error = JSON.parse(request.responseText).error;
      return [problem.dataset.refused, error.message, error.remedy || ""].join(" ").trim();
    } catch {
      return problem.dataset.refused;
    }
  }

  function lock() {
    document.getElementById("page").replaceChildren();
    document.getElementById("locked").hidden = false;
    document.getElementById("key").focus();
  }

  document.addEventListener("htmx:responseError", (event) => {
    const { xhr, elt } = event.detail;
    complain(sentence(xhr), elt.id);
    if (xhr.status === 401) lock();
  });
  document.addEventListener("htmx:sendError", (event) => complain(problem.dataset.noAnswer, event.detail.elt.id));
  document.addEventListener("htmx:afterOnLoad", (event) => {
    const from = event.detail.elt.id;
    if (event.detail.xhr.status < 400 && (from !== "counters" || problem.dataset.from === from)) problem.hidden = true;
  });

  // The key travels in a header, as in the API, and is kept by the server in a cookie that scripts cannot read.
  document.addEventListener("htmx:configRequest", (event) => {
    if (event.detail.elt.id === "unlock") {
      event.detail.headers["X-API-Key"] = encodeURIComponent(document.getElementById("key").value.trim());
    }
  });

  // Nobody looks: do not ask.
  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.elt.id === "counters") event.preventDefault();
  });

  // A person picked from those offered is asked for at once.
  document.addEventListener("input", (event) => {
    if (event.target.id === "user" && event.inputType === "insertReplacementText") event.target.form.requestSubmit();
  });

  // Rows glide from where they were.
  let before = new Map();
  const rows = () => [...answer().querySelectorAll("[data-item]")];
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "answer") {
      before = new Map(rows().map((row) => [row.dataset.item, row.getBoundingClientRect().top]));
    }
  });
  function glide() {
    if (still.matches || !before.size) return;
    for (const row of rows()) {
      const was = before.get(row.dataset.item);
      const from = was === undefined ? { opacity: 0 } : { transform: `translateY(${was - row.getBoundingClientRect().top}px)` };
      row.animate([from, { opacity: 1, transform: "none" }], { duration: 350, easing: "ease-out" });
    }
  }

  document.addEventListener("htmx:afterSwap", (event) => {
    const target = event.detail.target;
    if (target.id === "page") {
      const told = target.querySelector("[data-lang]").dataset;
      document.documentElement.lang = told.lang;
      Object.assign(problem.dataset, { noAnswer: told.noAnswer, refused: told.refused });
    }
    if (target.id === "answer") {
      glide();
      // The button that was pressed is gone: those who use the keyboard go on at the top of the list.
      const lost = document.activeElement === document.body && before.size;
      if (lost) document.getElementById("list-title").focus({ preventScroll: true });
    }
  });

  // Start over empties what was filled in; a found item that was chosen is no longer looked for.
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    const clear = button && button.id === "clear";
    if (clear) for (const id of ["user", "text"]) document.getElementById(id).value = "";
    if (clear || (button && button.closest("#found"))) document.getElementById("find").value = "";
  });
  document.addEventListener("htmx:afterRequest", (event) => {
    const found = document.getElementById("found");
    if (event.detail.elt.id === "ask" && found && !document.getElementById("find").value) found.replaceChildren();
  });
})();
