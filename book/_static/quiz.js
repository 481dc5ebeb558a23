// A quiz works without this script. With it a page counts what was right at the first try, and this browser keeps it.
for (const quiz of document.querySelectorAll(".quiz")) {
  const key = `unrolled-quiz:${quiz.dataset.page}`, questions = [...quiz.querySelectorAll(".question")];
  let tried = {};                           // by the question's number: was the first option opened the right one?
  try { tried = JSON.parse(localStorage.getItem(key)) ?? {}; } catch { /* a browser that keeps nothing still counts */ }

  const line = document.createElement("p"), words = document.createElement("span");
  const again = document.createElement("button");
  line.className = "progress-line";
  words.setAttribute("role", "status");
  again.type = "button";
  again.textContent = "Start again";
  line.append(words, " ", again);
  quiz.append(line);

  function show() {
    const first = Object.values(tried), right = first.filter(Boolean).length;
    line.hidden = first.length === 0;
    words.textContent = `${first.length} of ${questions.length} answered, ${right} right at the first try.`;
  }
  function keep() {
    try { localStorage.setItem(key, JSON.stringify(tried)); } catch { /* nothing is lost but the count */ }
    show();
  }
  questions.forEach((question, number) => {
    for (const option of question.querySelectorAll(".option")) {
      option.addEventListener("toggle", () => {
        if (!option.open || number in tried) return;
        tried[number] = option.classList.contains("right");
        keep();
      });
    }
  });
  again.addEventListener("click", () => {
    for (const option of quiz.querySelectorAll(".option")) option.open = false;
    tried = {};
    keep();
    quiz.querySelector("summary").focus();
  });
  show();
}
