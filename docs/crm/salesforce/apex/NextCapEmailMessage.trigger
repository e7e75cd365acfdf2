trigger NextCapEmailMessage on EmailMessage (after insert, after update) {
    Set<Id> mails = new Set<Id>();
    for (EmailMessage one : Trigger.new) {
        if (one.ParentId != null) {
            mails.add(one.Id);
        }
    }
    NextCapNotifier.tell('EmailMessage', mails);
}
