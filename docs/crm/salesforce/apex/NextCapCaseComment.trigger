trigger NextCapCaseComment on CaseComment (after insert, after update) {
    NextCapNotifier.tell('CaseComment', Trigger.newMap.keySet());
}
