"""Zero-shot extraction: any task asked of a vision-language model that was not trained for it.

request     what a user asks for, as texts: an `ExtractionRequest`
options     how a model is prompted: `PromptOptions`
schema      tasks and labels, and the JSON Schema of the answer: `Schema`
typed_labels    labels as a user types them
predict     documents in, predicted documents out
schema_prompter, pfa_prompter    the two prompt formats
prompt, injection_guard, windows    the words of a prompt, what others wrote in it, long texts
parsing, tolerant_json, occurrences, parsed_answer    from an answer back to offsets, labels and boxes
scoring     the scorers of trained systems
"""
