/* What a reader has read and solved, kept in the reader's own browser and nowhere else.
 *
 * A quiz works without this script: its choices are <details>, and opening one shows
 * whether it is right. The script counts what was found, offers "I have read this
 * lesson" at a lesson's end, marks the lessons in the sidebar, and fills the page of
 * progress, where all of it can be saved, brought back and erased.
 */
(() => {
  "use strict";

  const KEY = "modern-convnets-progress";
  const LESSON = /lessons\/(\d\d_\w+)\.html$/;

  // ------------------------------------------------------------------ what is kept

  const isLesson = (name, entry) =>
    /^\d\d_\w+$/.test(name) &&
    entry !== null &&
    typeof entry === "object" &&
    (entry.read === undefined || typeof entry.read === "boolean") &&
    (entry.quiz === undefined ||
      (Array.isArray(entry.quiz) && entry.quiz.every((one) => typeof one === "boolean")));

  /* Return the lessons of a text that was saved; throw where it is something else. */
  const parse = (text) => {
    const found = JSON.parse(text);
    const lessons = found && found.lessons;
    if (found.version !== 1 || lessons === null || typeof lessons !== "object") {
      throw new Error("not a progress file");
    }
    for (const [name, entry] of Object.entries(lessons)) {
      if (!isLesson(name, entry)) throw new Error(`not a lesson: ${name}`);
    }
    return lessons;
  };

  const written = (lessons) => JSON.stringify({ version: 1, lessons }, null, 2);

  // A browser may refuse to keep anything; then progress lasts as long as the page.
  let kept = true;
  let unkept = {};
  const load = () => {
    try {
      const text = localStorage.getItem(KEY);
      return text === null ? unkept : parse(text);
    } catch {
      return unkept;
    }
  };
  const save = (lessons) => {
    unkept = lessons;
    try {
      localStorage.setItem(KEY, written(lessons));
    } catch {
      kept = false;
    }
  };
  const change = (name, edit) => {
    const lessons = load();
    lessons[name] = lessons[name] || {};
    edit(lessons[name]);
    save(lessons);
    markSidebar();
  };

  // ------------------------------------------------------------------ small helpers

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  };
  const solved = (entry) => (entry.quiz || []).filter(Boolean).length;
  const passed = (entry) => (entry.quiz || []).length > 0 && entry.quiz.every(Boolean);
  const words = (entry) => {
    const parts = [];
    if (entry.read) parts.push("read");
    if (passed(entry)) parts.push("quiz solved");
    return parts.join(", ");
  };

  // ------------------------------------------------------------------ a lesson's quiz

  /* Return the questions of a quiz, each as the list of its choices. */
  const questionsOf = (section) => {
    const questions = [];
    for (const node of section.children) {
      if (node.tagName === "DETAILS") {
        if (questions.length) questions[questions.length - 1].push(node);
      } else if (/^\d+\.$/.test(node.querySelector("strong")?.textContent ?? "")) {
        questions.push([]);
      }
    }
    return questions.filter((choices) => choices.length > 1);
  };
  const isRight = (choice) =>
    choice.querySelector("p strong")?.textContent.trim() === "Yes.";

  const startQuiz = (name, section) => {
    const questions = questionsOf(section);
    if (!questions.length) return;
    const status = make("p", { class: "quiz-status", role: "status" });
    section.append(status);
    const show = () => {
      const entry = load()[name] || {};
      const count = Math.min(solved(entry), questions.length);
      const total = questions.length;
      status.textContent = `${count} of ${total} questions solved.`;
      if (count === total) status.textContent += " Well done.";
    };
    questions.forEach((choices, place) => {
      for (const choice of choices) {
        choice.classList.add("quiz-choice");
        choice.addEventListener("toggle", () => {
          if (!choice.open) return;
          const right = isRight(choice);
          choice.classList.add(right ? "quiz-right" : "quiz-wrong");
          if (!right) return;
          change(name, (entry) => {
            const before = entry.quiz || [];
            entry.quiz = questions.map((_, k) => k === place || before[k] === true);
          });
          show();
        });
      }
    });
    show();
  };

  const offerRead = (name, article) => {
    const box = make("input", { type: "checkbox", id: "lesson-read" });
    const root = document.documentElement.dataset.content_root || "../";
    box.checked = Boolean((load()[name] || {}).read);
    box.addEventListener("change", () => {
      change(name, (entry) => {
        entry.read = box.checked;
      });
    });
    const line = make(
      "p",
      { class: "lesson-read" },
      box,
      make("label", { for: "lesson-read" }, "I have read this lesson"),
    );
    line.append(make("a", { href: `${root}book/progress.html` }, "All my progress"));
    article.append(line);
  };

  // ------------------------------------------------------------------ the sidebar

  const linksToLessons = () =>
    [...document.querySelectorAll(".bd-sidebar-primary a[href]")].flatMap((link) => {
      const match = LESSON.exec(new URL(link.href, document.baseURI).pathname);
      return match ? [[match[1], link]] : [];
    });

  function markSidebar() {
    const lessons = load();
    for (const [name, link] of linksToLessons()) {
      link.querySelector(".lesson-done")?.remove();
      const said = words(lessons[name] || {});
      if (!said) continue;
      const mark = make("span", { class: "lesson-done" });
      mark.append(
        make("span", { "aria-hidden": "true" }, said.includes(",") ? "✓✓" : "✓"),
        make("span", { class: "course-hidden" }, ` (${said})`),
      );
      link.append(mark);
    }
  }

  // ------------------------------------------------------------------ the page

  const fillPage = (place) => {
    const status = make("p", { role: "status", class: "progress-status" });
    const body = make("tbody");
    const table = make(
      "table",
      { class: "table" },
      make(
        "thead",
        {},
        make(
          "tr",
          {},
          ...["Lesson", "Read", "Quiz"].map((t) => make("th", { scope: "col" }, t)),
        ),
      ),
      body,
    );
    const show = () => {
      const lessons = load();
      body.replaceChildren();
      for (const [name, link] of linksToLessons()) {
        const entry = lessons[name] || {};
        const title = [...link.childNodes]
          .filter((node) => !node.classList?.contains("lesson-done"))
          .map((node) => node.textContent)
          .join("")
          .trim();
        const total = (entry.quiz || []).length;
        body.append(
          make(
            "tr",
            {},
            make("td", {}, make("a", { href: link.href }, title)),
            make("td", {}, entry.read ? "✓ read" : "not yet"),
            make("td", {}, total ? `${solved(entry)} of ${total} solved` : "not yet"),
          ),
        );
      }
      markSidebar();
    };
    const say = (text) => {
      status.textContent = text;
    };

    const download = make("button", { type: "button" }, "Save to a file");
    download.addEventListener("click", () => {
      const file = new Blob([written(load())], { type: "application/json" });
      const address = URL.createObjectURL(file);
      make("a", { href: address, download: `${KEY}.json` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 10000);
      say(`Saved as ${KEY}.json.`);
    });

    const file = make("input", { type: "file", accept: ".json,application/json" });
    file.id = "progress-file";
    file.addEventListener("change", async () => {
      const [chosen] = file.files;
      if (!chosen) return;
      try {
        const brought = parse(await chosen.text());
        const lessons = load();
        for (const [name, entry] of Object.entries(brought)) {
          const mine = lessons[name] || {};
          const longer = Math.max((mine.quiz || []).length, (entry.quiz || []).length);
          lessons[name] = {
            read: Boolean(mine.read || entry.read),
            quiz: Array.from({ length: longer }, (_, k) =>
              Boolean(mine.quiz?.[k] || entry.quiz?.[k]),
            ),
          };
        }
        save(lessons);
        show();
        say(`Brought in from ${chosen.name}; nothing you had is lost.`);
      } catch {
        say(`${chosen.name} is no progress file of this course. Nothing changed.`);
      }
      file.value = "";
    });

    const erase = make("button", { type: "button" }, "Erase everything");
    erase.addEventListener("click", () => {
      if (!window.confirm("Erase your progress in this browser?")) return;
      unkept = {};
      try {
        localStorage.removeItem(KEY);
      } catch {
        // Nothing was kept, so nothing is left.
      }
      show();
      say("Erased.");
    });

    place.replaceChildren(
      make("div", { class: "pst-scrollable-table-container" }, table),
      make(
        "div",
        { class: "progress-buttons" },
        download,
        make("label", { for: file.id }, "Bring in a file: "),
        file,
        erase,
      ),
      status,
    );
    show();
    save(load());
    if (!kept) say("This browser keeps nothing: progress ends when you leave the page.");
  };

  // ------------------------------------------------------------------ start

  const start = () => {
    const match = LESSON.exec(window.location.pathname);
    const article = document.querySelector("article.bd-article");
    if (match && article) {
      const quiz = article.querySelector("section#self-quiz");
      if (quiz) startQuiz(match[1], quiz);
      offerRead(match[1], article);
    }
    const place = document.getElementById("course-progress");
    if (place) fillPage(place);
    markSidebar();
  };
  if (document.readyState === "loading") {
    document.addEventListener("DOMContentLoaded", start);
  } else {
    start();
  }
})();
