trigger NextCapCase on Case (after insert, after update, after delete, after undelete) {
    NextCapNotifier.tell('Case', (Trigger.isDelete ? Trigger.oldMap : Trigger.newMap).keySet());
}
